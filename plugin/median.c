/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "median.h"

static void swap(double *a, double *b)
{
    double was = *a;

    *a = *b;
    *b = was;
}

/*
 * Brings the number that belongs there in order to a place, none above it
 * before it and none below it behind (Hoare's selection).
 */
static void select_place(double *numbers, size_t count, size_t place)
{
    size_t from = 0, to = count - 1;

    while (from < to) {
        double pivot = numbers[from + (to - from) / 2];
        size_t low = from, high = to;

        for (;;) {
            while (numbers[low] < pivot)
                low++;
            while (numbers[high] > pivot)
                high--;
            if (low >= high)
                break;
            swap(&numbers[low++], &numbers[high--]);
        }
        if (place <= high)
            to = high;
        else
            from = high + 1;
    }
}

double aero_median(double *numbers, size_t count)
{
    size_t half = count / 2;
    double largest;

    if (!count)
        return 0;
    select_place(numbers, count, half);
    if (count % 2)
        return numbers[half];
    largest = numbers[0];
    for (size_t i = 1; i < half; i++)
        largest = numbers[i] > largest ? numbers[i] : largest;
    return (largest + numbers[half]) / 2;
}
