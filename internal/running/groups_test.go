package parallel

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroups(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		items, size, most int
		fails             func(item int) bool
		enough            int // items after which do wants no more; 0: never
		done, failures    int
		groups            []int
	}{
		"nothing":                     {items: 0, size: 3, most: 9},
		"whole groups":                {items: 6, size: 3, most: 9, done: 6, groups: []int{3, 3}},
		"a rest":                      {items: 7, size: 3, most: 9, done: 7, groups: []int{3, 3, 1}},
		"failures do not end it":      {items: 4, size: 2, most: 9, fails: func(i int) bool { return i == 0 }, done: 3, failures: 1, groups: []int{2, 2}},
		"too many failures end it":    {items: 6, size: 2, most: 2, fails: func(int) bool { return true }, failures: 2, groups: []int{2}},
		"it ends if do wants no more": {items: 6, size: 2, most: 9, enough: 2, done: 2, groups: []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			all := make([]int, test.items)
			for i := range all {
				all[i] = i
			}
			var groups []int
			seen := 0
			done, failures := Groups(slices.Values(all), test.size, test.most, func(group []int) ([]error, bool) {
				groups = append(groups, len(group))
				seen += len(group)
				errs := make([]error, len(group))
				for i, item := range group {
					if test.fails != nil && test.fails(item) {
						errs[i] = broken
					}
				}
				return errs, test.enough == 0 || seen < test.enough
			})
			require.Equal(t, test.done, done)
			require.Len(t, failures, test.failures)
			require.Equal(t, test.groups, groups)
		})
	}
}
