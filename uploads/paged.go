package uploads

import "iter"

// paged iterates over the items of a list in pages. The function page returns the items after a key, and
// the key after which the next page starts, or "" for the last page.
func paged[T any](startAfter string, page func(after string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			// A page with an error may have items, too.
			items, next, err := page(startAfter)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			if next == "" {
				return
			}
			startAfter = next
		}
	}
}

// listPage is how many states, records or IDs are listed in one call.
const listPage = 1000

// readConcurrency is how many states or records are read at the same time.
const readConcurrency = 16
