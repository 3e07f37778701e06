package partsize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/partsize"
)

// The chosen part size keeps within the limits of the store.
func TestPartSizesFitLimits(t *testing.T) {
	const mib = 1 << 20
	s3 := storage.PartLimits{MinSize: 5 * mib, MaxSize: 5 << 30, MaxParts: 10_000}
	for _, row := range []struct {
		name       string
		limits     storage.PartLimits
		size, base int64
		want       int64
	}{
		{"a file that fits", s3, 100 * mib, partsize.Base, 8 * mib},
		{"an unknown size", s3, -1, partsize.Base, 8 * mib},
		{"a base below the minimum", s3, 100 * mib, 1 << 10, 5 * mib},
		{"many parts, rounded up", s3, 80_001 * mib, partsize.Base, 9 * mib},
		{"the largest file", s3, 5 << 40, partsize.Base, 525 * mib},
		{"no limits", storage.PartLimits{}, 1 << 40, partsize.Base, 8 * mib},
		{"a unit", storage.PartLimits{Unit: 3 * mib}, 100 * mib, partsize.Base, 9 * mib},
		{"a maximum", storage.PartLimits{MaxSize: 4 * mib}, 100 * mib, partsize.Base, 4 * mib},
		{"a maximum and a unit", storage.PartLimits{MaxSize: 4 * mib, Unit: 3 * mib}, 100 * mib, partsize.Base, 3 * mib},
	} {
		require.Equal(t, row.want, partsize.For(row.limits, row.size, row.base), row.name)
	}
}
