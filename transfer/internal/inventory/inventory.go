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

// Open reads the manifest of an inventory, and checks that the inventory is that of the bucket b.
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

	// The inventory must be that of the bucket in which b keeps its objects.
	engine, prefix, _ := serving.Reach(b)
	located, ok := engine.(interface {
		Located() (provider, location, bucket string)
	})
	if !ok {
		return nil, invalid(manifest, "bucket must be one from storage.Open or a provider")
	}
	provider, location, name := located.Located()
	if err := m.checkBucket(provider, location, name); err != nil {
		return nil, invalid(manifest, err.Error())
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
	return &Inventory{
		Bucket:   name,
		Taken:    m.taken,
		prefix:   prefix,
		reports:  reports,
		manifest: m,
		parquet:  parquet,
	}, nil
}

// checkBucket returns an error if the inventory is not that of the given bucket.
func (m *manifest) checkBucket(provider, location, name string) error {
	if m.provider != provider {
		return fmt.Errorf("inventory must be that of a bucket of %s, and is that of one of %s", provider, m.provider)
	}
	if m.provider == "azure" {
		// The inventory is that of an account, and names the container of each blob.
		account := accountOf(location)
		isKnown := account != "" && m.bucket != ""
		if isKnown && account != m.bucket {
			return fmt.Errorf("inventory must be that of account %q, and is that of %q", account, m.bucket)
		}
		return nil
	}
	if name != m.bucket {
		return fmt.Errorf("inventory must be that of bucket %q, and is that of %q", name, m.bucket)
	}
	return nil
}

// invalid returns InvalidArgument with a text for the object key of an inventory.
func invalid(key, text string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "OpenInventory", Key: key, Err: errors.New(text)}
}

// Objects yields the current objects in the order of the inventory's files. An object may come twice.
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

// rows yields all rows whose keys begin with prefix, in the order of the files. It fails at the end if
// the manifest tells another number of rows.
func (i *Inventory) rows(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var count int64
		for _, file := range i.manifest.files {
			for row, err := range i.fileRows(ctx, file) {
				if err != nil {
					yield(storage.VersionEntry{}, err)
					return
				}
				count++
				v, ok, err := i.entryBelow(row, prefix)
				if err != nil {
					err = invalid(file.key, fmt.Sprintf("row %d of the file %v", count, err))
					yield(storage.VersionEntry{}, err)
					return
				}
				if ok && !yield(v, nil) {
					return
				}
			}
		}

		// The number is -1 if the manifest does not have it.
		if want := i.manifest.rows; want >= 0 && count != want {
			err := damaged("", fmt.Errorf("the inventory has %d rows, and %d by its manifest", count, want))
			yield(storage.VersionEntry{}, err)
		}
	}
}

// entryBelow converts a row to a version. If the row has no object of the bucket, or one whose key does not
// begin with prefix, ok is false.
func (i *Inventory) entryBelow(row []string, prefix string) (v storage.VersionEntry, ok bool, err error) {
	v, skip, err := i.entry(row)
	if err != nil || skip {
		return v, false, err
	}

	// The bucket of Open may be a view of the keys that begin with i.prefix.
	key, isInView := strings.CutPrefix(v.Key, i.prefix)
	if !isInView || key == "" || !strings.HasPrefix(key, prefix) {
		return v, false, nil
	}
	v.Key = key
	return v, true, nil
}

// SortedObjects yields each current object once, in the order of keys. It leaves out those without the
// prefix, or outside of the bounds.
func (i *Inventory) SortedObjects(
	ctx context.Context, prefix string, bounds *selection.KeyRange,
) iter.Seq2[storage.ListEntry, error] {
	objects := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range i.Objects(ctx, prefix) {
			if err == nil && !bounds.Contains(entry.Key) {
				continue
			}
			if !yield(entry, err) {
				return
			}
		}
	}
	return listing.SortByKey(ctx, objects, listing.Memory)
}

// Versions yields each version once, in the order of keys. Where the inventory has no NoncurrentSince,
// it is the time at which the next newer version was written.
func (i *Inventory) Versions(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var newer storage.VersionEntry
		for v, err := range listing.SortVersions(ctx, i.rows(ctx, prefix), listing.Memory) {
			if err != nil {
				yield(v, err)
				return
			}
			isSameKey := v.Key == newer.Key
			if isSameKey && v.Version == newer.Version {
				// The inventory has the row twice.
				continue
			}
			if isSameKey && v.NoncurrentSince.IsZero() {
				v.NoncurrentSince = newer.Modified
			}
			newer = v
			if !yield(v, nil) {
				return
			}
		}
	}
}
