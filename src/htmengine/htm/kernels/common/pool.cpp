#include "common/pool.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
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
// Models whose memory is kept beyond what is let unpacked, since each thread unpacks one before it packs it again.
constexpr std::size_t most_at_once = 8;
// The same of models that are packed or unpacked.
constexpr std::size_t models_per_thread = 8;

/// Calls work(i) for each i below `count`, on `threads` threads, but on no more than are `useful`. What it throws is
/// thrown when all threads have ended.
template <class Work>
void in_parallel(std::size_t count, unsigned threads, std::size_t useful, const Work& work) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr error;
    std::mutex failing;
    const auto some = [&] {
        try {
            for (std::size_t i; (i = next.fetch_add(1)) < count;) work(i);
        } catch (...) {
            const std::lock_guard<std::mutex> alone(failing);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> helpers;
    try {
        while (helpers.size() + 1 < std::min<std::size_t>(threads, useful)) helpers.emplace_back(some);
    } catch (const std::system_error&) {
        // The machine gives no more threads: those that there are do all the work.
    }
    some();
    for (std::thread& helper : helpers) helper.join();
    if (error) std::rethrow_exception(error);
}

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

std::uint32_t Pool::free_slot() {
    if (free_.empty()) {
        slots_.emplace_back();
        return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
}

std::uint32_t Pool::add(std::shared_ptr<Model> model, std::shared_ptr<const Model> prototype) {
    const std::uint32_t number = free_slot();
    Slot& slot = slots_[number];
    slot.model = std::move(model);
    if (prototype && slot.model->packs()) {
        slot.prototype = std::move(prototype);
        ++unpacked_;
        measure(slot);
    }
    return number;
}

std::uint32_t Pool::add_packed(std::shared_ptr<const Model> prototype, std::uint64_t rows, const std::uint8_t* data,
                               std::size_t size) {
    const std::uint32_t number = free_slot();
    Slot& slot = slots_[number];
    slot.prototype = std::move(prototype);
    slot.rows = rows;
    slot.packed = slab_.put(data, size);
    return number;
}

void Pool::remove(std::uint32_t number) {
    checked(number);
    Slot& slot = slots_[number];
    if (slot.model && slot.prototype) {
        release(slot);
    } else {
        slab_.drop(slot.packed);
    }
    slot = Slot{};
    free_.push_back(number);
}

const Pool::Slot& Pool::checked(std::uint32_t slot) const {
    if (slot >= slots_.size() || !(slots_[slot].model || slots_[slot].prototype))
        throw std::out_of_range("slot " + std::to_string(slot) + " of the pool is empty");
    return slots_[slot];
}

void Pool::check(Span<const std::uint32_t> slots) const {
    for (const std::uint32_t slot : slots) checked(slot);
}

std::shared_ptr<Model> Pool::at(std::uint32_t number) {
    checked(number);
    Slot& slot = slots_[number];
    if (!slot.model) unpack(slot);
    return slot.model;
}

/// A model whose state is of no matter.
std::shared_ptr<Model> Pool::spare(const std::shared_ptr<const Model>& prototype) {
    {
        const std::lock_guard<std::mutex> alone(guard_);
        auto& spares = spares_[prototype.get()];
        if (!spares.empty()) {
            std::shared_ptr<Model> found = std::move(spares.back());
            spares.pop_back();
            --spare_count_;
            spare_bytes_ -= found->memory();
            return found;
        }
    }
    return prototype->clone();
}

/// The model that a slot has packed. Throws StateError, the slot as it was.
std::shared_ptr<Model> Pool::model_of(const Slot& slot) {
    std::shared_ptr<Model> model = spare(slot.prototype);
    std::vector<std::uint8_t> bytes;
    {
        const std::lock_guard<std::mutex> alone(guard_);
        bytes = slab_.get(slot.packed);
    }
    model->unpack(bytes.data(), bytes.size());
    if (model->rows() != slot.rows) throw StateError("a model has other rows than its block says");
    Scores of_no_matter;
    for (const Sample& sample : slot.behind) model->step(sample.timestamp, sample.value, of_no_matter);
    return model;
}

void Pool::unpack(Slot& slot) {
    slot.model = model_of(slot);
    slot.behind.clear();
    const std::lock_guard<std::mutex> alone(guard_);
    slab_.drop(slot.packed);
    slot.packed = {};
    ++unpacked_;
    measure(slot);
}

void Pool::pack(Slot& slot) {
    const std::vector<std::uint8_t> bytes = slot.model->pack();
    const std::lock_guard<std::mutex> alone(guard_);
    slot.rows = slot.model->rows();
    slot.packed = slab_.put(bytes.data(), bytes.size());
    release(slot);
}

/// Takes the model out of its slot, and keeps its memory for another if there is a use for it.
void Pool::release(Slot& slot) {
    --unpacked_;
    unpacked_bytes_ -= slot.memory;
    slot.memory = 0;
    keep(slot.prototype, std::move(slot.model));
    slot.model.reset();
}

/// Keeps the memory of a model, but not of one that others hold, too.
void Pool::keep(const std::shared_ptr<const Model>& prototype, std::shared_ptr<Model> model) {
    if (model.use_count() > 1) return;
    const bool useful = most_unpacked_ == any_number ? spare_bytes_ <= unpacked_bytes_ / 8
                                                     : unpacked_ + spare_count_ < most_unpacked_ + most_at_once;
    if (!useful) return;
    ++spare_count_;
    spare_bytes_ += model->memory();
    spares_[prototype.get()].push_back(std::move(model));
}

void Pool::measure(Slot& slot) {
    const std::size_t memory = slot.model->memory();
    unpacked_bytes_ += memory - slot.memory;
    slot.memory = memory;
}

void Pool::pack(Span<const std::uint32_t> slots, unsigned threads) {
    check(slots);
    in_parallel(slots.size(), threads, slots.size() / models_per_thread, [&](std::size_t i) {
        Slot& slot = slots_[slots[i]];
        if (slot.model && slot.prototype) pack(slot);
    });
}

std::vector<Pool::State> Pool::states(Span<const std::uint32_t> slots, unsigned threads) {
    check(slots);
    for (const std::uint32_t slot : slots)
        if (!slots_[slot].prototype) throw std::logic_error("such a model cannot be packed");
    std::vector<State> states(slots.size());
    in_parallel(slots.size(), threads, slots.size() / models_per_thread, [&](std::size_t i) {
        Slot& slot = slots_[slots[i]];
        if (slot.model) {
            states[i] = {slot.model->rows(), slot.model->pack()};
            return;
        }
        if (slot.behind.empty()) {
            const std::lock_guard<std::mutex> alone(guard_);
            states[i] = {slot.rows, slab_.get(slot.packed)};
            return;
        }
        std::shared_ptr<Model> model = model_of(slot);
        states[i] = {model->rows(), model->pack()};
        const std::lock_guard<std::mutex> alone(guard_);
        slot.rows = model->rows();
        slot.behind.clear();
        slab_.drop(slot.packed);
        slot.packed = slab_.put(states[i].bytes.data(), states[i].bytes.size());
        keep(slot.prototype, std::move(model));
    });
    return states;
}

std::size_t Pool::prediction_width(Span<const std::uint32_t> slots) const {
    std::size_t width = 0;
    for (const std::uint32_t slot : slots) {
        const Slot& found = checked(slot);
        width = std::max(width, (found.model ? *found.model : *found.prototype).prediction_count());
    }
    return width;
}

void Pool::score(Span<const std::uint32_t> slots, Span<const double> timestamps, Span<const double> values,
                 unsigned threads, Span<double> scores, Span<double> predictions, std::size_t prediction_width,
                 Span<std::uint8_t> outcomes, double explain_from,
                 std::vector<std::pair<std::size_t, Explanation>>& explanations) {
    check(slots);

    // Samples by model, in the order given within a model; each run of one model is a piece of work.
    std::vector<std::uint32_t> order(slots.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return slots[a] < slots[b]; });
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < order.size(); ++i)
        if (i == 0 || slots[order[i]] != slots[order[i - 1]]) starts.push_back(i);
    starts.push_back(order.size());

    std::mutex explaining;
    const std::size_t useful = std::min<std::size_t>(starts.size() - 1, slots.size() / samples_per_thread);
    in_parallel(starts.size() - 1, threads, useful, [&](std::size_t run) {
        Slot& slot = slots_[slots[order[starts[run]]]];
        // Whether it goes back to where it was, and has only taken some samples more.
        const std::size_t samples = starts[run + 1] - starts[run];
        bool goes_back = false;
        std::shared_ptr<Model> model = slot.model;
        const bool was_packed = !model;
        if (was_packed) {
            const std::lock_guard<std::mutex> alone(guard_);
            goes_back = unpacked_ >= most_unpacked_ && slot.behind.size() + samples <= most_behind;
        }
        try {
            if (goes_back) {
                model = model_of(slot);
            } else if (!model) {
                unpack(slot);
                model = slot.model;
            }
        } catch (const StateError&) {
            for (std::size_t i = starts[run]; i < starts[run + 1]; ++i) {
                outcomes[order[i]] = static_cast<std::uint8_t>(Outcome::unreadable);
                store(Scores{}, &scores[order[i] * Scores::count]);
            }
            return;
        }
        for (std::size_t i = starts[run]; i < starts[run + 1]; ++i) {
            const std::uint32_t sample = order[i];
            Scores found;
            const Outcome outcome = model->step(timestamps[sample], values[sample], found);
            outcomes[sample] = static_cast<std::uint8_t>(outcome);
            store(found, &scores[sample * Scores::count]);
            if (found.log >= explain_from) {
                if (auto explanation = model->explain()) {
                    const std::lock_guard<std::mutex> alone(explaining);
                    explanations.emplace_back(sample, *std::move(explanation));
                }
            }
            if (prediction_width > 0 && outcome == Outcome::scored)
                store_predictions(*model, &predictions[sample * prediction_width]);
            if (goes_back && outcome != Outcome::out_of_order)
                slot.behind.push_back({timestamps[sample], values[sample]});
        }
        if (!slot.prototype) return;
        std::unique_lock<std::mutex> alone(guard_);
        if (goes_back) {
            keep(slot.prototype, std::move(model));
            return;
        }
        measure(slot);
        const bool too_many = was_packed && unpacked_ > most_unpacked_;
        alone.unlock();
        model.reset();
        if (too_many) pack(slot);
    });
}

}  // namespace htmengine
