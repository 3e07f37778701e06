package transport

import (
	"math"

	"github.com/omnibucket/storage/internal/openfiles"
)

// maxConnections returns how many connections to one host there may be. Half of the files that the
// process may open are left for everything else. Requests beyond that wait.
func maxConnections() int {
	files, known := openfiles.Limit()
	if !known || files > math.MaxInt32 {
		return 0 // no limit
	}
	return max(1, int(files/2))
}
