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
	"github.com/omnibucket/storage/uploads/clamd"
	"github.com/omnibucket/storage/uploads/rules"
)

// A user may take a week to send a video.
func films(bucket storage.Bucket, user func(*http.Request) (uploads.User, error)) (*uploads.Service, error) {
	return uploads.New(bucket, uploads.Config{
		Rules:     rules.Rules{Types: []string{"video/mp4", "video/webm"}, MaxSize: 20 << 30},
		Key:       "users/{user}/films/{random}{ext}",
		TTL:       7 * 24 * time.Hour,
		Authorize: user,
	})
}

// scanned returns config with a scan of each file by clamd, such as at "unix:///run/clamav/clamd.ctl".
func scanned(config uploads.Config, address string) (uploads.Config, error) {
	scanner, err := clamd.New(clamd.Config{Address: address, IfDown: clamd.Refuse})
	if err != nil {
		return config, err
	}
	config.Inspect = scanner.Inspect
	return config, nil
}

// tidy works every hour until ctx is done, in one of the processes that call it.
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

// download redirects the browser to a file of the user, and never to another user's. The URL is valid for a minute.
func download(w http.ResponseWriter, r *http.Request, bucket storage.SignedDownloader, user uploads.User) {
	key := r.PathValue("key")
	if !strings.HasPrefix(key, "users/"+user.ID+"/") {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	link, err := bucket.SignedDownloadURL(r.Context(), key, storage.WithTTL(time.Minute))
	if err != nil {
		http.Error(w, "The store does not respond.", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, link.URL, http.StatusSeeOther)
}

// avatars keeps one picture for each user. An object below current/ has its key. A new picture has
// a new key, so that no cache shows the old one.
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
			// If Stored is called again for the same file, before is f.Key.
			if err == nil && before != "" && before != f.Key {
				_ = bucket.Remove(ctx, before) // if this fails, an unused picture stays
			}
			return err
		},
	})
}

// withThumbnails returns config with functions that store a small picture of each file, and remove
// it together with the file.
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
