package running

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// EachGroup calls a function with groups of items until too many have failed, or until the function asks for no more.
func TestEachGroup(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		items       int
		groupSize   int
		maxFailures int
		fails       func(item int) bool
		enough      int // items after which do wants no more; 0: never
		done        int
		failures    int
		groups      []int
	}{
		"nothing": {
			items:       0,
			groupSize:   3,
			maxFailures: 9,
		},
		"whole groups": {
			items:       6,
			groupSize:   3,
			maxFailures: 9,
			done:        6,
			groups:      []int{3, 3},
		},
		"a rest": {
			items:       7,
			groupSize:   3,
			maxFailures: 9,
			done:        7,
			groups:      []int{3, 3, 1},
		},
		"failures do not end it": {
			items:       4,
			groupSize:   2,
			maxFailures: 9,
			fails:       func(item int) bool { return item == 0 },
			done:        3,
			failures:    1,
			groups:      []int{2, 2},
		},
		"too many failures end it": {
			items:       6,
			groupSize:   2,
			maxFailures: 2,
			fails:       func(int) bool { return true },
			failures:    2,
			groups:      []int{2},
		},
		"it ends if do wants no more": {
			items:       6,
			groupSize:   2,
			maxFailures: 9,
			enough:      2,
			done:        2,
			groups:      []int{2},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := make([]int, tt.items)
			for i := range all {
				all[i] = i
			}

			var groups []int
			count := 0
			do := func(group []int) (errs []error, more bool) {
				groups = append(groups, len(group))
				count += len(group)
				errs = make([]error, len(group))
				for i, item := range group {
					if tt.fails != nil && tt.fails(item) {
						errs[i] = broken
					}
				}
				return errs, tt.enough == 0 || count < tt.enough
			}

			done, failures := EachGroup(slices.Values(all), tt.groupSize, tt.maxFailures, do)
			require.Equal(t, tt.done, done)
			require.Len(t, failures, tt.failures)
			require.Equal(t, tt.groups, groups)
		})
	}
}
