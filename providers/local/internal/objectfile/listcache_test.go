package objectfile

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The windows that listings keep of directories have a total limit.
func TestListCacheBound(t *testing.T) {
	var c listCache
	for i := range 3 * maxCached / MinCached {
		c.add(cachedWindow{
			key:    windowKey{match: fmt.Sprint(i)},
			window: window{names: MinCached, isComplete: true},
		})
	}
	require.Len(t, c.Items, maxCached/MinCached)
}
