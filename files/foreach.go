package files

import "github.com/omnibucket/storage/internal/panics"

// atOnce does n things, up to width of them at once, and answers with the error of
// each.
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
