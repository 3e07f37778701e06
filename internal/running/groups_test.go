package running

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachGroup(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
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
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := make([]int, tt.items)
			for i := range all {
				all[i] = i
			}

			var groups []int
			count := 0

			n, failures := EachGroup(slices.Values(all), tt.size, tt.most, func(group []int) ([]error, bool) {
				groups = append(groups, len(group))
				count += len(group)
				errs := make([]error, len(group))
				for i, item := range group {
					if tt.fails != nil && tt.fails(item) {
						errs[i] = broken
					}
				}
				return errs, tt.enough == 0 || count < tt.enough
			})
			require.Equal(t, tt.done, n)
			require.Len(t, failures, tt.failures)
			require.Equal(t, tt.groups, groups)
		})
	}
}
