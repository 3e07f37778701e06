package cookbook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/omnibucket/storage"
)

// readWriter is what an object that changes in place needs.
type readWriter interface {
	storage.Uploader
	storage.Downloader
}

// nextNumber counts up. Any number of processes may call it at once, and no two get the same
// number. If the error is storage.OutcomeUnknown, the count may have gone up: call it again, and a
// number is left out.
func nextNumber(ctx context.Context, bucket readWriter, key string) (int, error) {
	var number int
	_, err := storage.Update(ctx, bucket, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
		number = 0
		if old != nil {
			var err error
			if number, err = strconv.Atoi(string(old)); err != nil {
				return nil, err
			}
		}
		number++
		return []byte(strconv.Itoa(number)), nil
	})
	return number, err
}

// setSetting changes one field of a JSON document and keeps the others.
func setSetting(ctx context.Context, bucket readWriter, name string, value any) error {
	_, err := storage.Update(ctx, bucket, "settings.json", func(old []byte, _ *storage.Attrs) ([]byte, error) {
		settings := map[string]any{}
		if old != nil {
			if err := json.Unmarshal(old, &settings); err != nil {
				return nil, err
			}
		}
		settings[name] = value
		return json.Marshal(settings)
	})
	return err
}

// addTo adds bytes to the end of an object that exists. Other writers may do so at once: no bytes are
// lost or added twice. The store joins them; small objects of S3 pass through this program.
func addTo(ctx context.Context, bucket storage.Bucket, key string, tail io.Reader) (err error) {
	part := key + ".part-" + rand.Text()
	if _, err := bucket.Upload(ctx, part, tail); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bucket.Remove(context.WithoutCancel(ctx), part)) }()
	for {
		now, err := bucket.Attrs(ctx, key)
		if err != nil {
			return err
		}
		_, err = storage.Compose(ctx, bucket, key, []string{key, part}, storage.IfRevision(now.Revision),
			storage.WithContentType(now.ContentType), storage.WithMetadata(now.Metadata))
		if code := storage.CodeOf(err); code != storage.PreconditionFailed && code != storage.Changed {
			return err // else another writer was faster
		}
	}
}
