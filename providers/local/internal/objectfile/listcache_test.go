package objectfile

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The windows in the cache have at most maxCached names together.
func TestListCacheBound(t *testing.T) {
	const capacity = maxCached / MinCached // in windows of the smallest size
	var cache listCache
	for i := range 3 * capacity {
		cache.add(cachedWindow{
			key:    windowKey{match: fmt.Sprint(i)},
			window: window{names: MinCached, isComplete: true},
		})
	}
	require.Len(t, cache.Items, capacity)
}
