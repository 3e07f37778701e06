package readme

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
)

func TestReserveGivesASeatOnce(t *testing.T) {
	bucket := memstore.New() // in place of storage.Open
	for _, guest := range []string{"Ann", "Bob"} {
		owner, err := reserve(t.Context(), bucket, "seats/7A", guest)
		require.NoError(t, err)
		require.Equal(t, "Ann", owner)
	}
}

func TestPrintSeatsListsEachSeat(t *testing.T) {
	bucket := memstore.New()
	_, err := reserve(t.Context(), bucket, "seats/7A", "Ann")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, printSeats(t.Context(), &out, bucket))
	require.Equal(t, "seats/7A 3 bytes\n", out.String())
}
