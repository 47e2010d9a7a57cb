#include "common/pool.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace htmengine {

namespace {

// Fewer samples than this are not worth another thread.
constexpr std::size_t samples_per_thread = 64;

}  // namespace

void store(const Scores& scores, double* places) {
    places[0] = scores.raw;
    places[1] = scores.anomaly;
    places[2] = scores.log;
    places[3] = scores.sequence;
    places[4] = scores.novelty;
    places[5] = scores.forecast;
    places[6] = scores.usual_low;
    places[7] = scores.usual_high;
    places[8] = scores.one_in;
}

void store_predictions(const Model& model, double* places) {
    if (const auto* predictions = model.predictions())
        for (const auto& prediction : *predictions) *places++ = prediction.value;
}

std::uint32_t Pool::add(std::shared_ptr<Model> model) {
    if (free_.empty()) {
        models_.push_back(std::move(model));
        return static_cast<std::uint32_t>(models_.size() - 1);
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    models_[slot] = std::move(model);
    return slot;
}

void Pool::remove(std::uint32_t slot) {
    at(slot);
    models_[slot].reset();
    free_.push_back(slot);
}

const std::shared_ptr<Model>& Pool::at(std::uint32_t slot) const {
    if (slot >= models_.size() || !models_[slot])
        throw std::out_of_range("slot " + std::to_string(slot) + " of the pool is empty");
    return models_[slot];
}

std::size_t Pool::prediction_width(Span<const std::uint32_t> slots) const {
    std::size_t width = 0;
    for (const std::uint32_t slot : slots) width = std::max(width, at(slot)->prediction_count());
    return width;
}

void Pool::score(Span<const std::uint32_t> slots, Span<const double> timestamps, Span<const double> values,
                 unsigned threads, Span<double> scores, Span<double> predictions, std::size_t prediction_width,
                 Span<std::uint8_t> outcomes, double explain_from,
                 std::vector<std::pair<std::size_t, Explanation>>& explanations) {
    for (const std::uint32_t slot : slots) at(slot);

    // Samples by model, in the order given within a model; each run of one model is a piece of work.
    std::vector<std::uint32_t> order(slots.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return slots[a] < slots[b]; });
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < order.size(); ++i)
        if (i == 0 || slots[order[i]] != slots[order[i - 1]]) starts.push_back(i);
    starts.push_back(order.size());

    std::atomic<std::size_t> next_run{0};
    std::mutex explaining;
    const auto work = [&] {
        for (std::size_t run; (run = next_run.fetch_add(1)) + 1 < starts.size();) {
            Model& model = *models_[slots[order[starts[run]]]];
            for (std::size_t i = starts[run]; i < starts[run + 1]; ++i) {
                const std::uint32_t sample = order[i];
                Scores found;
                const Outcome outcome = model.step(timestamps[sample], values[sample], found);
                outcomes[sample] = static_cast<std::uint8_t>(outcome);
                store(found, &scores[sample * Scores::count]);
                if (found.log >= explain_from) {
                    if (auto explanation = model.explain()) {
                        const std::lock_guard<std::mutex> alone(explaining);
                        explanations.emplace_back(sample, *std::move(explanation));
                    }
                }
                if (prediction_width > 0 && outcome == Outcome::scored)
                    store_predictions(model, &predictions[sample * prediction_width]);
            }
        }
    };
    const std::size_t useful = std::min<std::size_t>(starts.size() - 1, slots.size() / samples_per_thread);
    std::vector<std::thread> helpers;
    try {
        while (helpers.size() + 1 < std::min<std::size_t>(threads, useful)) helpers.emplace_back(work);
    } catch (const std::system_error&) {
        // The machine gives no more threads: those that there are do all the work.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
}

}  // namespace htmengine
