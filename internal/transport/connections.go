package transport

import (
	"math"

	"github.com/omnibucket/storage/internal/openfiles"
)

// maxConnections returns the largest number of connections to one host. Further requests wait for a
// free connection. The connections may use half of the files that the process may open.
func maxConnections() int {
	files, ok := openfiles.Limit()
	if !ok || files > math.MaxInt32 {
		return 0 // 0 means no limit
	}
	return max(1, int(files/2))
}
