package transport

import (
	"math"

	"github.com/omnibucket/storage/internal/localfile"
)

// maxConnections returns the largest number of connections to one host. Further requests wait for a
// free connection. The connections may use half of the files that the process may open.
func maxConnections() int {
	files, ok := localfile.OpenLimit()
	if !ok || files > math.MaxInt32 {
		// The value 0 means no limit.
		return 0
	}
	return max(1, int(files/2))
}
