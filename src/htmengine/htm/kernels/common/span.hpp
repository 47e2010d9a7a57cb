// A view of contiguous items (std::span is C++20).
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

namespace htmengine {

template <class T>
class Span {
   public:
    Span(T* data, std::size_t size) : data_(data), size_(size) {}
    template <class U, class = std::enable_if_t<std::is_same_v<U, std::remove_const_t<T>>>>
    Span(const std::vector<U>& items) : data_(items.data()), size_(items.size()) {}
    template <class U, class = std::enable_if_t<std::is_same_v<U, std::remove_const_t<T>>>>
    Span(std::vector<U>& items) : data_(items.data()), size_(items.size()) {}

    T* begin() const { return data_; }
    T* end() const { return data_ + size_; }
    T& operator[](std::size_t i) const { return data_[i]; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

   private:
    T* data_;
    std::size_t size_;
};

}  // namespace htmengine
