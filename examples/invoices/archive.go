package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// An archive keeps invoices in a bucket that supports object locks.
type archive struct {
	out    io.Writer
	bucket storage.Bucket
	retain time.Duration
}

// fileYear stores two invoices, marks one as paid, prints both, and checks that the paid one cannot
// be removed.
func (a *archive) fileYear(ctx context.Context) error {
	for _, i := range []struct{ key, customer, text string }{
		{"2026/1001.txt", "ACME", "1 anvil: 25.00"},
		{"2026/1002.txt", "Roadrunner", "3 bags of seed: 9.00"},
	} {
		if err := a.file(ctx, i.key, i.customer, i.text); err != nil {
			return err
		}
	}
	if err := a.markPaid(ctx, "2026/1001.txt"); err != nil {
		return err
	}
	for entry, err := range a.bucket.List(ctx, storage.WithPrefix("2026/")) {
		if err != nil {
			return err
		}
		if err := a.show(ctx, entry.Key); err != nil {
			return err
		}
	}
	return a.checkLocked(ctx, "2026/1001.txt")
}

// file stores an invoice together with its tags and its lock, so that the invoice never exists
// without them. It never replaces an existing invoice.
func (a *archive) file(ctx context.Context, key, customer, text string) error {
	_, err := a.bucket.Upload(ctx, key, strings.NewReader(text),
		storage.IfAbsent(),
		storage.WithTags(map[string]string{"customer": customer, "state": "open"}),
		storage.WithRetention(time.Now().Add(a.retain), storage.Governance))
	if err == nil {
		fmt.Fprintln(a.out, "filed", key)
	}
	return err
}

// markPaid changes a tag of an invoice. The bytes, the revision and the lock of the invoice do not
// change.
func (a *archive) markPaid(ctx context.Context, key string) error {
	tags, err := storage.Tags(ctx, a.bucket, key)
	if err != nil {
		return err
	}
	tags["state"] = "paid"
	return storage.SetTags(ctx, a.bucket, key, tags)
}

// show prints the state, the retention and the encryption of an invoice.
func (a *archive) show(ctx context.Context, key string) error {
	attrs, err := a.bucket.Attrs(ctx, key)
	if err != nil {
		return err
	}
	tags, err := storage.Tags(ctx, a.bucket, key)
	if err != nil {
		return err
	}
	encrypted := ""
	if id := attrs.Encryption.KeyID; id != "" {
		encrypted = ", encrypted with " + id
	}
	fmt.Fprintf(a.out, "%s of %s is %s, %s for %v%s\n", key, tags["customer"], tags["state"],
		attrs.Retention.Mode, time.Until(attrs.Retention.Until).Round(time.Minute), encrypted)
	return nil
}

// checkLocked fails if the invoice can be removed. It tries to remove the current version.
func (a *archive) checkLocked(ctx context.Context, key string) error {
	attrs, err := a.bucket.Attrs(ctx, key)
	if err != nil {
		return err
	}
	err = a.bucket.Remove(ctx, key, storage.WithVersion(attrs.Version))
	if err == nil {
		return errors.New(key + " was removed: the bucket does not lock objects")
	}
	if !errors.Is(err, storage.Locked) {
		return err
	}
	fmt.Fprintln(a.out, key, "cannot be removed")
	return nil
}

// removeAll removes the invoices although they are locked. On S3, that needs a special permission.
func (a *archive) removeAll(ctx context.Context) error {
	var errs []error
	for v, err := range storage.Versions(ctx, a.bucket) {
		if err == nil {
			err = a.bucket.Remove(ctx, v.Key, storage.WithVersion(v.Version), storage.WithGovernanceBypass())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
