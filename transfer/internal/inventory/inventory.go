// Package inventory reads the lists of objects that providers write: S3 Inventory, inventory reports of Google, and
// the blob inventory of Azure. Open reads and checks the manifest of one.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/listing"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// An Inventory reads the rows of an inventory.
type Inventory struct {
	Bucket   string    // the name of the bucket, as the provider names it
	Taken    time.Time // when the list was made
	prefix   string    // prefix of the keys, if the bucket is a part of another one (storage.Prefixed)
	reports  storage.Downloader
	manifest *manifest
	parquet  TableReader
}

// A TableReader yields the rows of a table in a file, such as a Parquet file, with the given columns.
type TableReader func(ctx context.Context, file io.ReaderAt, size int64, columns []string) iter.Seq2[[]string, error]

// Open reads the manifest of an inventory of the bucket b, and checks that it is one of this bucket.
func Open(
	ctx context.Context, b storage.ReadWriter, reports storage.Downloader, manifest string, parquet TableReader,
) (*Inventory, error) {
	if err := argument.NeedBucket(b, "OpenInventory", manifest); err != nil {
		return nil, err
	}
	m, err := readManifest(ctx, reports, manifest)
	if err != nil {
		return nil, err
	}
	i := &Inventory{Bucket: m.bucket, Taken: m.taken, reports: reports, manifest: m, parquet: parquet}
	engine, prefix, _ := serving.Reach(b)
	located, ok := engine.(interface {
		Located() (provider, location, bucket string)
	})
	if !ok {
		return nil, invalid(manifest, "bucket must be one from storage.Open or a provider")
	}
	i.prefix = prefix

	provider, location, name := located.Located()
	switch {
	case m.provider != provider:
		return nil, invalid(
			manifest,
			fmt.Sprintf("inventory must be that of a bucket of %s, and is that of one of %s", provider, m.provider),
		)
	// The inventory of an account names the container of each blob.
	case m.provider == "azure":
		i.Bucket = name
		if account := accountOf(location); account != "" && m.bucket != "" && account != m.bucket {
			return nil, invalid(manifest,
				fmt.Sprintf("inventory must be that of account %q, and is that of %q", account, m.bucket))
		}
	case name != m.bucket:
		return nil, invalid(manifest,
			fmt.Sprintf("inventory must be that of bucket %q, and is that of %q", name, m.bucket))
	}

	if m.format == "PARQUET" && parquet == nil {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Op:   "OpenInventory",
			Key:  manifest,
			Err:  errors.New("the files are Parquet"),
			Hint: "pass a TableReader for Parquet",
		}
	}
	return i, nil
}

// invalid returns InvalidArgument for the object key of an inventory. rule is the text of
// the error.
func invalid(key, rule string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "OpenInventory", Key: key, Err: errors.New(rule)}
}

// Objects yields the current objects in the order of the files. An object may come twice.
func (i *Inventory) Objects(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for v, err := range i.rows(ctx, prefix) {
			if err == nil && !v.Current {
				continue
			}
			if !yield(v.ListEntry, err) {
				return
			}
		}
	}
}

// rows yields all rows whose keys begin with prefix, in the order of the files.
func (i *Inventory) rows(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var all int64
		for _, file := range i.manifest.files {
			for row, err := range i.fileRows(ctx, file) {
				if err != nil {
					yield(storage.VersionEntry{}, err)
					return
				}
				all++
				v, skip, err := i.entry(row)
				if err != nil {
					yield(
						storage.VersionEntry{},
						invalid(file.key, fmt.Sprintf("row %d of the file %v", all, err)),
					)
					return
				}
				key, hasPrefix := strings.CutPrefix(v.Key, i.prefix)
				v.Key = key
				if skip || !hasPrefix || key == "" || !strings.HasPrefix(key, prefix) {
					continue
				}
				if !yield(v, nil) {
					return
				}
			}
		}
		if want := i.manifest.rows; want >= 0 && all != want {
			yield(
				storage.VersionEntry{},
				damaged("", fmt.Errorf("the inventory has %d rows, and %d by its manifest", all, want)),
			)
		}
	}
}

// SortedObjects yields the current objects of a range of keys with the prefix, in the order of keys. Each
// object comes once.
func (i *Inventory) SortedObjects(ctx context.Context, prefix string, bounds *selection.KeyRange) iter.Seq2[storage.ListEntry, error] {
	return listing.SortByKey(ctx, func(yield func(storage.ListEntry, error) bool) {
		for e, err := range i.Objects(ctx, prefix) {
			if (err != nil || bounds.Contains(e.Key)) && !yield(e, err) {
				return
			}
		}
	}, listing.Memory)
}

// Versions yields all versions in the order of keys, each once. If the inventory has no
// NoncurrentSince for a version, versions uses the time at which the next newer version was
// written.
func (i *Inventory) Versions(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var newer storage.VersionEntry
		for v, err := range listing.SortVersions(ctx, i.rows(ctx, prefix), listing.Memory) {
			if err == nil && v.Key == newer.Key {
				if v.Version == newer.Version {
					continue
				}
				if v.NoncurrentSince.IsZero() {
					v.NoncurrentSince = newer.Modified
				}
			}
			newer = v
			if !yield(v, err) {
				return
			}
		}
	}
}
