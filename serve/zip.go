package serve

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// Zip responds to a request with a ZIP archive of many objects. The objects are not compressed:
//
//	album := storage.Prefixed(photos, "albums/7/")
//	serve.Zip(w, r, album, album.List(r.Context()), serve.WithDownloadName("Album 7.zip"))
//
// objects lists the objects, as [storage.Bucket.List] does without a delimiter. The listing is read before the
// first byte is sent. For each object, it takes memory for the key and about 300 bytes. The content of the
// objects is not kept in memory.
//
// Names in the archive are the keys, made safe. A name leads nowhere outside of the folder in which it is extracted,
// and is valid on Windows and macOS. No two names are equal on a file system that folds case or normalizes accents.
// [storage.Prefixed] leaves out a prefix.
//
// The response has the exact Content-Length. A range is not served: the response is the whole archive (RFC 9110,
// section 14.2). Each object is read in the revision that was listed. If an object has changed since then, or
// cannot be read, the response ends before its Content-Length, so that no client takes it for a whole archive.
// For an error before the first byte, the response is like those of [Object], such as 404 if there are no objects.
// A listing that has common prefixes leaves out objects, so the response is 400.
//
// The options are [WithDownloadName], which gives the archive a name, [WithDownloadOptions] and [WithErrorHandler].
func Zip(
	w http.ResponseWriter, r *http.Request, b storage.Downloader, objects iter.Seq2[storage.ListEntry, error],
	opts ...Option,
) {
	o := readOptions(opts).object
	if err := o.zip(w, r, b, objects); err != nil {
		o.sendFailure(w, r, err)
	}
}

// zip responds with an archive of the objects. If it returns an error, it has written nothing.
func (o objectOptions) zip(
	w http.ResponseWriter, r *http.Request, b storage.Downloader, objects iter.Seq2[storage.ListEntry, error],
) error {
	if o.invalid != nil {
		return o.invalid
	}

	archive, err := listArchive(objects)
	if err != nil {
		return err
	}

	// The names and sizes determine the length before any object is read.
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Length", strconv.FormatInt(archive.length(), 10))
	h.Set("Accept-Ranges", "none")
	h.Set("Content-Disposition", "attachment")
	for _, adjust := range o.headers {
		adjust(h, &storage.Attrs{})
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}

	// The objects are read only now.
	if archive.write(r.Context(), w, b, o.downloads) != nil {
		// The status was already sent. Cut off the body, so that the client sees the failure.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// An archive is the list of files for a ZIP archive.
type archive struct{ files []zippedFile }

// A zippedFile is an object with its name in the archive.
type zippedFile struct {
	name, key, revision string
	size                int64
	modified            time.Time
}

// listArchive returns the archive of the listed objects, and chooses the names of its files.
func listArchive(objects iter.Seq2[storage.ListEntry, error]) (*archive, error) {
	a := &archive{}
	names := newZipNames()

	for entry, err := range objects {
		if err != nil {
			return nil, err
		}
		if entry.IsPrefix {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Op:   "Zip",
				Err:  errors.New("objects must be listed without a delimiter"),
			}
		}
		a.files = append(a.files, zippedFile{
			name:     names.nameOf(entry.Key),
			key:      entry.Key,
			revision: entry.Revision,
			size:     entry.Size,
			modified: entry.Modified,
		})
	}

	if len(a.files) == 0 {
		return nil, &storage.Error{Code: storage.ObjectNotFound, Op: "Zip", Err: errors.New("there are no objects")}
	}
	return a, nil
}

// These are the lengths of the parts of an archive in bytes. APPNOTE.TXT of PKWARE (version 6.3.10)
// and archive/zip define them.
const (
	zipHeader       = 30 // header before each file, without the name
	zipDescriptor   = 16 // after the bytes of each file
	zipDescriptor64 = 24 // after the bytes of a file of 4 GiB or more
	zipTime         = 9  // extra field with a time, before the file and in the directory
	zipEntry        = 46 // entry in the directory, without the name
	zipEntry64      = 28 // added to an entry if the file, or its offset, is 4 GiB or more
	zipEnd          = 22
	zipEnd64        = 76 // added at the end for 4 GiB or 65,535 files
)

// length returns the length of the ZIP archive in bytes, for the header Content-Length. Large files, offsets and counts
// need the longer structures of ZIP64.
func (a *archive) length() int64 {
	var offset int64    // offset of the next file, and in the end of the directory
	var directory int64 // length of the directory
	for i := range a.files {
		f := &a.files[i]
		nameAndTime := int64(len(f.name))
		if !f.modified.IsZero() {
			nameAndTime += zipTime
		}

		// The directory has an entry for each file, whose offset may be large, too.
		isLarge := f.size >= math.MaxUint32
		directory += zipEntry + nameAndTime
		if isLarge || offset >= math.MaxUint32 {
			directory += zipEntry64
		}

		// The file itself has a header, its bytes and a descriptor.
		offset += zipHeader + nameAndTime + f.size
		if isLarge {
			offset += zipDescriptor64
		} else {
			offset += zipDescriptor
		}
	}

	total := offset + directory + zipEnd
	if len(a.files) >= math.MaxUint16 || directory >= math.MaxUint32 || offset >= math.MaxUint32 {
		total += zipEnd64
	}
	return total
}

// write writes the whole archive to w.
func (a *archive) write(
	ctx context.Context, w io.Writer, b storage.Downloader, opts []storage.DownloadOption,
) error {
	zw := zip.NewWriter(w)
	for i := range a.files {
		if err := a.files[i].write(ctx, zw, b, opts); err != nil {
			return err
		}
	}
	return zw.Close()
}

// write adds the file to the archive, and fails if its object has changed since it was listed.
func (f *zippedFile) write(
	ctx context.Context, zw *zip.Writer, b storage.Downloader, opts []storage.DownloadOption,
) error {
	if f.revision != "" {
		opts = append(slices.Clip(opts), storage.IfRevision(f.revision))
	}
	body, err := b.Download(ctx, f.key, opts...)
	if err != nil {
		return err
	}
	defer body.Close()

	// The file is stored without compression, so that the length of the archive is known before.
	header := &zip.FileHeader{Name: f.name, Modified: f.modified, Method: zip.Store}
	header.SetMode(0o644)
	file, err := zw.CreateHeader(header)
	if err != nil {
		return err
	}

	n, err := io.Copy(file, body)
	if err != nil {
		return err
	}

	// The header of the response has promised this size.
	if n != f.size {
		return fmt.Errorf("the object has %d bytes, and was listed with %d", n, f.size)
	}
	return nil
}
