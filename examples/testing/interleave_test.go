package notes

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// publish stores a page, and then adds its name to the index.
func publish(ctx context.Context, b storage.Bucket, name string) error {
	if _, err := b.Upload(ctx, "pages/"+name, strings.NewReader("page "+name)); err != nil {
		return err
	}
	_, err := storage.Update(ctx, b, "index", func(old []byte, _ *storage.Attrs) ([]byte, error) {
		return append(old, name+"\n"...), nil
	})
	return err
}

// If two processes publish at once, the index names both pages, and no page that is missing.
func TestPublishTwice(t *testing.T) {
	interleave.Run(t, interleave.Config{}, func(s *interleave.Scene) {
		store := s.Store("pages")
		for _, name := range []string{"a", "b"} {
			process := s.Process(name)
			bucket := process.Bucket(store)
			job := process.Go(name, func(ctx context.Context) error { return publish(ctx, bucket, name) })

			// When both jobs have ended, the index names the page if it is published, but not if it is missing.
			s.Check(func() {
				index, _, err := storage.ReadAll(s.Context(), store.Bucket(), "index")
				if err != nil && !errors.Is(err, storage.ObjectNotFound) {
					s.Errorf("%v", err)
				}
				listed := strings.Contains(string(index), name+"\n")
				if job.Err() == nil && !job.Died() && !listed {
					s.Errorf("%s is published, and the index is %q", name, index)
				}
				if exists, err := store.Bucket().Exists(s.Context(), "pages/"+name); listed && !exists {
					s.Errorf("the index names %s, which is missing: %v", name, err)
				}
			})
		}
	})
}
