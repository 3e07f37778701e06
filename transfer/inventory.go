package transfer

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
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
)

// An Inventory is a list of the objects of a bucket that the provider writes at regular times: S3
// Inventory, inventory reports of Google's Storage Insights, and Azure's blob inventory. A job can
// read it instead of listing the bucket ([WithInventory]).
type Inventory struct {
	Bucket string    // the name of the bucket, as the provider names it
	Taken  time.Time // when the list was made; later changes may be missing

	of       any    // the bucket that the inventory lists
	prefix   string // prefix of the keys, if the bucket is a part of another one (storage.Prefixed)
	reports  storage.Downloader
	manifest *manifest
	parquet  TableReader
}

// A TableReader yields the rows of a table in a file, such as a Parquet file. The file has the
// given size in bytes. Each row has one value for each name in columns, in the same
// order. A missing value is "", and a time has the format [time.RFC3339Nano]. The names of columns
// are compared by their letters and digits only, without regard to case. If the file has no such
// column, its values are "". A row is valid until the next row is yielded. If there is an error, it
// comes last.
type TableReader func(ctx context.Context, file io.ReaderAt, size int64, columns []string) iter.Seq2[[]string, error]

// OpenInventory opens an inventory of the bucket b. The second bucket contains the files of the
// inventory. The provider has written these files to that bucket, or the bucket has copies of the
// files under the same keys. The string manifest is the key of the inventory's manifest:
// manifest.json on S3, RULE-manifest.json on Azure, and ID_TIME_manifest.json on Google. If b is a
// part of a bucket ([storage.Prefixed]), the inventory yields the keys of b.
//
// The files of the inventory may be CSV, also compressed, or Parquet. OpenInventory needs a
// [TableReader] only for Parquet. If the files are Parquet and parquet is nil, it fails with
// Unsupported. ORC is Unsupported, too.
//
// OpenInventory verifies the checksum of the manifest. A job verifies each file before it uses a
// row of the file. It verifies the size and the checksum on S3, and the size on Azure. Google
// writes neither sizes nor checksums. For Google, a job compares the number of all rows with the
// manifest, after the last row. The error is
//
//   - ObjectNotFound, if the manifest, its checksum or a file is missing. S3 and Azure write the
//     checksum when the inventory is complete.
//   - ChecksumMismatch, if the manifest or a file is damaged or truncated.
//   - InvalidArgument, if the inventory is that of another bucket, or in another format.
func OpenInventory(
	ctx context.Context, b storage.ReadWriter, reports storage.Downloader, manifest string, parquet TableReader,
) (*Inventory, error) {
	if err := argument.NeedBucket(b, "OpenInventory", manifest); err != nil {
		return nil, err
	}
	m, err := readManifest(ctx, reports, manifest)
	if err != nil {
		return nil, err
	}
	i := &Inventory{Bucket: m.bucket, Taken: m.taken, of: b, reports: reports, manifest: m, parquet: parquet}
	engine, prefix, _ := serving.Reach(b)
	located, ok := engine.(interface {
		Located() (provider, location, bucket string)
	})
	if !ok {
		return nil, inventoryError(manifest, "bucket must be one from storage.Open or a provider")
	}
	i.prefix = prefix
	provider, location, name := located.Located()
	switch {
	case m.provider != provider:
		return nil, inventoryError(
			manifest,
			fmt.Sprintf("inventory must be that of a bucket of %s, and is that of one of %s", provider, m.provider),
		)
	// The inventory of an account names the container of each blob.
	case m.provider == "azure":
		i.Bucket = name
		if account := accountOf(location); account != "" && m.bucket != "" && account != m.bucket {
			return nil, inventoryError(manifest,
				fmt.Sprintf("inventory must be that of account %q, and is that of %q", account, m.bucket))
		}
	case name != m.bucket:
		return nil, inventoryError(manifest,
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

// inventoryError returns InvalidArgument for the object key of an inventory. rule is the text of
// the error.
func inventoryError(key, rule string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "OpenInventory", Key: key, Err: errors.New(rule)}
}

// WithInventory makes a job read an inventory instead of listing a bucket. The bucket is the source
// of [Sync], [Download] or [Copy], the first end of [Compare], or the bucket of [Expire] or
// [Remove]. The inventory must be one of that bucket. [Report].Inventory is the time at which the
// inventory was taken.
//
// The job does not see objects that were written after that time. It skips objects that were
// replaced or removed since that time, and counts them in Report.Changed. To find these objects,
// the job reads the attributes of each object before the transfer.
//
// If the bucket has [storage.ConditionalRemove], the job removes each object only if its revision
// has not changed. If the bucket lacks ConditionalRemove or [storage.UniqueRevisions], the job
// reads the attributes of each object before the removal. Objects are removed one by one. Versions
// are removed in batches, after the job has listed the versions of each key. With [WithDelete] the
// job fails with InvalidArgument, because it would remove copies of objects that are newer than the
// inventory.
//
// [Sync], [Compare], and rules with an OldVersionsAge need the rows in the order of keys. These
// jobs sort the rows in temporary files ([os.TempDir]), which need about 100 bytes for each object.
// Other jobs use the rows in any order.
func WithInventory(i *Inventory) Option {
	return checked(i != nil, "WithInventory", "must not be nil", func(s *settings) {
		s.inventory = i
	})
}

// checkInventory returns InvalidArgument if the inventory of WithInventory belongs to another
// bucket than b.
func (s *settings) checkInventory(b any) error {
	if s.inventory == nil {
		return nil
	}
	if !evidence.Same(serving.Places(b), serving.Places(s.inventory.of)) {
		return invalid("WithInventory", "must be the inventory of the bucket of the job")
	}
	return nil
}

// List implements [storage.Lister]. It yields the current objects in the order of keys. It accepts
// [storage.WithPrefix], [storage.WithStartAfter] and [storage.WithLimit]; other options are
// Unsupported.
func (i *Inventory) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		var r storage.ListOptions
		err := r.Apply(opts...)
		if err == nil && r.Delimiter != "" {
			err = &storage.Error{
				Code: storage.Unsupported,
				Op:   "List",
				Err:  errors.New("an inventory has no common prefixes"),
			}
		}
		if err != nil {
			yield(storage.ListEntry{}, err)
			return
		}
		n := 0
		for e, err := range i.sorted(ctx, r.Prefix, nil) {
			if err == nil && e.Key <= r.StartAfter && r.StartAfter != "" {
				continue
			}
			if !yield(e, err) {
				return
			}
			n++
			if n == r.Limit {
				return
			}
		}
	}
}

// objects yields the current objects in the order of the files. An object may come twice.
func (i *Inventory) objects(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
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
						inventoryError(file.key, fmt.Sprintf("row %d of the file %v", all, err)),
					)
					return
				}
				key, below := strings.CutPrefix(v.Key, i.prefix)
				v.Key = key
				if skip || !below || key == "" || !strings.HasPrefix(key, prefix) {
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

// sorted yields the current objects of a range of keys with the prefix, in the order of keys. Each
// object comes once.
func (i *Inventory) sorted(ctx context.Context, prefix string, bounds *keyRange) iter.Seq2[storage.ListEntry, error] {
	return sorted(ctx, func(yield func(storage.ListEntry, error) bool) {
		for e, err := range i.objects(ctx, prefix) {
			if (err != nil || bounds.contains(e.Key)) && !yield(e, err) {
				return
			}
		}
	}, sortMemory)
}

// versions yields all versions in the order of keys, each once. If the inventory has no
// NoncurrentSince for a version, versions uses the time at which the next newer version was
// written.
func (i *Inventory) versions(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var newer storage.VersionEntry
		for v, err := range inKeyOrder(ctx, i.rows(ctx, prefix), sortMemory) {
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
