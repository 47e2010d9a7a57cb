#include <nanobind/stl/variant.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <variant>

#include "bindings/bindings.hpp"
#include "rows/row_block.hpp"

namespace htmengine {

namespace {

nb::bytes to_bytes(const std::vector<std::uint8_t>& bytes) {
    return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Span<const std::uint8_t> span(const nb::bytes& bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.c_str()), bytes.size()};
}

std::vector<std::uint8_t> copied(const nb::bytes& bytes) {
    const auto items = span(bytes);
    return {items.begin(), items.end()};
}

template <class T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

/// Body, how much of it is the description, and noise.
std::tuple<nb::bytes, std::size_t, nb::bytes> pack(const Table<std::int64_t>& integers, const Table<double>& reals,
                                                   const nb::bytes& texts_how, const nb::bytes& texts) {
    const std::size_t rows = integers.shape(1);
    if (rows == 0 || integers.shape(0) != 2 || reals.shape(0) != real_columns || reals.shape(1) != rows)
        throw std::invalid_argument("columns of other shapes than (2, n) and (10, n), or without rows");
    const RowsInColumns columns{{integers.data(), rows}, {integers.data() + rows, rows}, {reals.data(), reals.size()}};
    PackedRows block;
    {
        nb::gil_scoped_release released;
        block = pack_rows(columns, span(texts_how), span(texts));
    }
    return {to_bytes(block.body), block.described, to_bytes(block.noise)};
}

/// A number of a row: what is none, as NULL, becomes another.
[[noreturn]] void refuse_row() { throw nb::python_error(); }

double real(PyObject* item) {
    if (item == Py_None) return std::numeric_limits<double>::quiet_NaN();
    const double number = PyFloat_AsDouble(item);
    if (number == -1.0 && PyErr_Occurred()) refuse_row();
    return number;
}

std::int64_t integer(PyObject* item, std::int64_t null) {
    if (item == Py_None) return null;
    const std::int64_t number = PyLong_AsLongLong(item);
    if (number == -1 && PyErr_Occurred()) refuse_row();
    return number;
}

template <class T>
using Columns = nb::ndarray<nb::numpy, T, nb::ndim<2>, nb::c_contig>;

/// Rows, each a tuple of which the first items are whole numbers and the next ones real, as tables of columns.
std::pair<Columns<std::int64_t>, Columns<double>> as_columns(const nb::typed<nb::sequence, nb::object>& rows,
                                                             std::size_t integers, std::size_t reals,
                                                             std::int64_t null) {
    const std::size_t count = nb::len(rows);
    std::vector<std::int64_t> whole(integers * count);
    std::vector<double> numbers(reals * count);
    for (std::size_t row = 0; row < count; ++row) {
        const nb::object own = rows[row];
        if (!PyTuple_Check(own.ptr()) || static_cast<std::size_t>(PyTuple_Size(own.ptr())) < integers + reals)
            throw std::invalid_argument("a row is no tuple of so many columns");
        for (std::size_t column = 0; column < integers + reals; ++column) {
            PyObject* item = PyTuple_GetItem(own.ptr(), static_cast<Py_ssize_t>(column));
            if (column < integers) {
                whole[column * count + row] = integer(item, null);
            } else {
                numbers[(column - integers) * count + row] = real(item);
            }
        }
    }
    return {to_numpy(std::move(whole), integers, count), to_numpy(std::move(numbers), reals, count)};
}

using Column = std::variant<Out<double>, Out<std::int64_t>>;

std::vector<Column> columns(const RowBlock& block, const std::vector<std::uint8_t>& wanted) {
    std::vector<RowColumn> places(wanted.size());
    std::transform(wanted.begin(), wanted.end(), places.begin(), [](std::uint8_t one) { return static_cast<RowColumn>(one); });
    std::vector<RowBlock::Column> found;
    {
        nb::gil_scoped_release released;
        found = block.columns(places);
    }
    std::vector<Column> arrays;
    for (RowBlock::Column& column : found)
        arrays.push_back(std::visit([](auto& numbers) { return Column(to_numpy(std::move(numbers))); }, column));
    return arrays;
}

}  // namespace

void bind_row_block(nb::module_& module) {
    module.def("pack_rows", &pack, nb::arg("integers"), nb::arg("reals"), nb::arg("texts_how"), nb::arg("texts"));
    module.def("rows_as_columns", &as_columns, nb::arg("rows"), nb::arg("integers"), nb::arg("reals"), nb::arg("null"));
    nb::class_<RowBlock>(module, "RowBlock")
        .def(
            "__init__",
            [](RowBlock* self, const nb::bytes& body, std::size_t described, const nb::bytes& noise) {
                new (self) RowBlock(copied(body), described, copied(noise));
            },
            nb::arg("body"), nb::arg("described"), nb::arg("noise"))
        .def_prop_ro("rows", &RowBlock::rows)
        .def("columns", &columns, nb::arg("wanted"))
        .def("texts_how", [](const RowBlock& self) { return to_bytes(self.texts_how()); })
        .def("texts", [](const RowBlock& self) { return to_bytes(self.texts()); });
}

}  // namespace htmengine
