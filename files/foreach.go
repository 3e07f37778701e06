package files

import "github.com/omnibucket/storage/internal/panics"

// forEach calls do for n indexes, up to width of them at once, and returns the error
// of each.
func forEach(n, width int, do func(i int) error) []error {
	errs := make([]error, n)
	turns := make(chan struct{}, width)
	var group panics.Group
	for i := range n {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			errs[i] = do(i)
		}, nil)
	}
	group.Wait()
	return errs
}
