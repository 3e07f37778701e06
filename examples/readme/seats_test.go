package readme

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// reserve stores the guest if the seat is free, and returns whose seat it is.
func reserve(ctx context.Context, bucket storage.Bucket, seat, guest string) (string, error) {
	_, err := bucket.Upload(ctx, seat, strings.NewReader(guest), storage.IfAbsent())
	if err != nil && !errors.Is(err, storage.PreconditionFailed) { // it is taken
		return "", err
	}
	owner, _, err := storage.ReadAll(ctx, bucket, seat)
	return string(owner), err
}

func TestReserve(t *testing.T) {
	bucket := memstore.New() // elsewhere: bucket, err := storage.Open(ctx, "s3://theater")
	for _, guest := range []string{"Ann", "Bob"} {
		owner, err := reserve(t.Context(), bucket, "seats/7A", guest)
		require.NoError(t, err)
		require.Equal(t, "Ann", owner) // Bob came too late
	}
	var seats []string
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix("seats/")) {
		require.NoError(t, err)
		seats = append(seats, entry.Key)
	}
	require.Equal(t, []string{"seats/7A"}, seats)
}
