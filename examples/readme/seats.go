package readme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/omnibucket/storage"
)

// reserve stores the guest if the seat is free, and returns whose seat it is.
// The bucket comes from storage.Open(ctx, "s3://theater?region=eu-west-1"), or gs://, azblob://, file:// or mem://.
func reserve(ctx context.Context, bucket storage.Bucket, seat, guest string) (string, error) {
	_, err := bucket.Upload(ctx, seat, strings.NewReader(guest), storage.IfAbsent())
	if err != nil && !errors.Is(err, storage.PreconditionFailed) {
		return "", err
	}
	owner, _, err := storage.ReadAll(ctx, bucket, seat)
	return string(owner), err
}

func printSeats(ctx context.Context, out io.Writer, bucket storage.Bucket) error {
	for entry, err := range bucket.List(ctx, storage.WithPrefix("seats/")) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, entry.Key, entry.Size, "bytes")
	}
	return nil
}
