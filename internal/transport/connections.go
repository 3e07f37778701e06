package transport

import (
	"math"

	"github.com/omnibucket/storage/internal/localfile"
)

// maxConnections returns how many connections to one host the transport may open at the same time,
// or 0 for no limit.
func maxConnections() int {
	files, ok := localfile.OpenLimit()
	if !ok || files > math.MaxInt32 {
		return 0
	}
	return max(1, int(files/2))
}
