package pages

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// films takes videos of up to 20 GiB. A user may take a week to send one.
func films(bucket storage.Bucket, user func(*http.Request) (uploads.User, error)) (*uploads.Service, error) {
	return uploads.New(bucket, uploads.Config{
		Rules:     rules.Rules{Types: []string{"video/mp4", "video/webm"}, MaxSize: 20 << 30},
		Key:       "users/{user}/films/{random}{ext}",
		TTL:       7 * 24 * time.Hour,
		Authorize: user,
	})
}

// tidy removes shared files after a day, and every hour what nobody has finished. It runs in one of
// the processes that call it, until ctx is done.
func tidy(ctx context.Context, bucket storage.Bucket, service *uploads.Service) error {
	job := func(ctx context.Context) error {
		if _, err := service.Sweep(ctx); err != nil {
			return err
		}
		_, err := transfer.Expire(ctx, bucket, []transfer.ExpireRule{
			{Prefix: "shared/", Age: 24 * time.Hour},
			{Prefix: uploads.DefaultPrefix, Age: 8 * 24 * time.Hour, UploadsAge: 8 * 24 * time.Hour},
		})
		return err
	}
	return transfer.Every(ctx, time.Hour, job, transfer.WithLease(bucket, "jobs/tidy.lease"))
}

// download sends the browser to a file of its user, and to no other. The address works for a minute.
func download(w http.ResponseWriter, r *http.Request, bucket storage.SignedDownloader, user uploads.User) {
	key := r.PathValue("key")
	if !strings.HasPrefix(key, "users/"+user.ID+"/") {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	signed, err := bucket.SignedDownloadURL(r.Context(), key, storage.WithTTL(time.Minute))
	if err != nil {
		http.Error(w, "The store does not respond.", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, signed.URL, http.StatusSeeOther)
}

// avatars keeps one picture of each user, and the key of it in an object of its own. A new picture has a new
// key, so that no cache shows the old one.
func avatars(bucket storage.Bucket, user func(*http.Request) (uploads.User, error)) (*uploads.Service, error) {
	return uploads.New(bucket, uploads.Config{
		Rules:     rules.Images(5 << 20),
		Key:       "pictures/{user}/{random}{ext}",
		MaxFiles:  1,
		Authorize: user,
		Link:      uploads.SignedLink,
		Stored: func(ctx context.Context, f *uploads.File) error {
			var before string
			_, err := storage.Update(ctx, bucket, "current/"+f.User.ID, func(old []byte, _ *storage.Attrs) ([]byte, error) {
				before = string(old)
				return []byte(f.Key), nil
			})
			if err == nil && before != "" && before != f.Key { // it is f.Key if Stored is called again
				_ = bucket.Remove(ctx, before) // if this fails, a picture stays that nothing names
			}
			return err
		},
	})
}

// withThumbnails keeps a small picture of each file, which goes with it.
func withThumbnails(config uploads.Config, bucket storage.Bucket, shrink func([]byte) io.Reader) uploads.Config {
	config.Stored = func(ctx context.Context, f *uploads.File) error {
		picture, _, err := storage.ReadAll(ctx, bucket, f.Key)
		if err == nil {
			_, err = bucket.Upload(ctx, "small/"+f.Key, shrink(picture))
		}
		return err
	}
	config.Removed = func(ctx context.Context, key string) error { return bucket.Remove(ctx, "small/"+key) }
	return config
}
