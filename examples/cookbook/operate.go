package cookbook

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/transfer"
)

// backUp stores a directory below the date of today, and removes the backups that are older than a number of days. If
// it fails, call it again: it sends only what is missing. Below backups/ there must be only its own objects.
func backUp(ctx context.Context, bucket storage.Bucket, dir string, now time.Time, days int) error {
	today := storage.Prefixed(bucket, "backups/"+now.UTC().Format(time.DateOnly)+"/")
	report, err := transfer.Upload(ctx, today, dir)
	if err != nil {
		return err
	}
	if report.Transferred+report.Skipped == 0 {
		return errors.New("the directory is empty, so that no backup is removed")
	}
	first := "backups/" + now.UTC().AddDate(0, 0, -days).Format(time.DateOnly)
	old := func(entry storage.ListEntry) bool { return entry.Key < first }
	_, err = storage.RemoveMatching(ctx, bucket, old, storage.WithPrefix("backups/"))
	return err
}

// origin serves photos to a CDN, which adds the secret to its requests, and to nobody else.
func origin(bucket storage.Downloader, secret string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /photos/{name...}", func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("X-Origin-Secret")
		if secret == "" || subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1 {
			http.Error(w, "ask the CDN", http.StatusForbidden)
			return
		}
		serve.Object(w, r, bucket, "photos/"+r.PathValue("name"))
	})
	return mux
}

// openTenant returns the folder of a tenant. The journal has each attempt to change it, and how it ended.
func openTenant(ctx context.Context, address, tenant string, journal *slog.Logger) (storage.Bucket, error) {
	audit := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		const changes = storage.EffectWrite | storage.EffectRemove | storage.EffectAdminister
		if op.Effects&changes == 0 {
			return ctx, nil, nil
		}
		journal.InfoContext(ctx, "began", "tenant", tenant, "operation", op.Name, "key", op.Key, "keys", op.Keys)
		return ctx, func(out storage.Outcome) {
			journal.InfoContext(ctx, "ended", "tenant", tenant, "operation", op.Name, "key", op.Key, "err", out.Err)
		}, nil
	}
	bucket, err := storage.Open(ctx, address, storage.WithHook(audit))
	if err != nil {
		return nil, err
	}
	return storage.Prefixed(bucket, "tenants/"+tenant+"/"), nil
}
