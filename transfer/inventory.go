package transfer

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/inventory"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// An Inventory is a list of the objects of a bucket that the provider writes at regular times: S3
// Inventory, inventory reports of Google's Storage Insights, and Azure's blob inventory. A job can
// read it instead of listing the bucket ([WithInventory]).
type Inventory struct {
	Bucket string    // the name of the bucket, as the provider names it
	Taken  time.Time // when the list was made; later changes may be missing

	of   any // the bucket that the inventory lists
	rows *inventory.Inventory
}

// A TableReader yields the rows of a table in a file, such as a Parquet file. The file has the
// given size in bytes. Each row has one value for each name in columns, in the same
// order. A missing value is "", and a time has the format [time.RFC3339Nano]. The names of columns
// are compared by their letters and digits only, without regard to case. If the file has no such
// column, its values are "". A row is valid until the next row is yielded. If there is an error, it
// comes last.
type TableReader func(ctx context.Context, file io.ReaderAt, size int64, columns []string) iter.Seq2[[]string, error]

// OpenInventory opens an inventory of the bucket b. The bucket reports contains the files of the
// inventory: those that the provider has written to it, or copies of them under the same keys.
// manifest is the key of the inventory's manifest: manifest.json on S3, RULE-manifest.json on
// Azure, and ID_TIME_manifest.json on Google. If b is a part of a bucket ([storage.Prefixed]), the
// inventory yields the keys of b.
//
// The files of the inventory may be CSV, also compressed, or Parquet, which needs a [TableReader].
// If the files are Parquet and parquet is nil, OpenInventory fails with Unsupported. ORC is
// Unsupported, too.
//
// OpenInventory verifies the checksum of the manifest. A job verifies each file before it uses a
// row of it: the size and the checksum on S3, and the size on Azure. Google writes neither, so a job
// compares the number of all rows with the manifest after the last row. The error is
//
//   - ObjectNotFound, if the manifest, its checksum or a file is missing. S3 and Azure write the
//     checksum when the inventory is complete.
//   - ChecksumMismatch, if the manifest or a file is damaged or truncated.
//   - InvalidArgument, if the inventory is that of another bucket, or in another format.
func OpenInventory(
	ctx context.Context, b storage.ReadWriter, reports storage.Downloader, manifest string, parquet TableReader,
) (*Inventory, error) {
	rows, err := inventory.Open(ctx, b, reports, manifest, inventory.TableReader(parquet))
	if err != nil {
		return nil, err
	}
	return &Inventory{Bucket: rows.Bucket, Taken: rows.Taken, of: b, rows: rows}, nil
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

// checkInventory returns InvalidArgument if the inventory of WithInventory belongs to another bucket
// than b.
func (s *settings) checkInventory(b any) error {
	if s.inventory == nil {
		return nil
	}
	if !evidence.Same(serving.Places(b), serving.Places(s.inventory.of)) {
		return joberror.Invalid("WithInventory", "must be the inventory of the bucket of the job")
	}
	return nil
}

// List implements [storage.Lister]. It yields the current objects in the order of keys, and accepts
// [storage.WithPrefix], [storage.WithStartAfter] and [storage.WithLimit]. Other options are
// Unsupported.
func (i *Inventory) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		list, err := inventoryListOptions(opts)
		if err != nil {
			yield(storage.ListEntry{}, err)
			return
		}

		count := 0
		for entry, err := range i.rows.SortedObjects(ctx, list.Prefix, nil) {
			if err != nil {
				yield(storage.ListEntry{}, err)
				return
			}
			if list.StartAfter != "" && entry.Key <= list.StartAfter {
				continue
			}
			if !yield(entry, nil) {
				return
			}
			count++
			if count == list.Limit {
				return
			}
		}
	}
}

// inventoryListOptions applies the options of a listing, and returns Unsupported for one that an
// inventory does not support.
func inventoryListOptions(opts []storage.ListOption) (storage.ListOptions, error) {
	var list storage.ListOptions
	if err := list.Apply(opts...); err != nil {
		return list, err
	}
	if list.Delimiter != "" {
		return list, &storage.Error{
			Code: storage.Unsupported,
			Op:   "List",
			Err:  errors.New("an inventory has no common prefixes"),
		}
	}
	return list, nil
}
