package bucketstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// sumName returns the name of the file with the checksum of a part, in the same directory as the
// part. The file also has the tag of the part, so that it cannot be mistaken for the checksum of
// another part. It is a cache: if the file is missing, the part is read.
func sumName(number int) string { return "sum-" + strconv.Itoa(number) }

// sumRecord returns the content of the file that stores a part's checksum: the part's tag, a space
// and the checksum in hexadecimal, or nothing if it is unknown.
func sumRecord(tag string, crc storage.CRC32C) string {
	if !crc.Known {
		return tag + " \n"
	}
	return fmt.Sprintf("%s %08x\n", tag, crc.Sum)
}

// sumOf returns the checksum in a record that sumRecord has written. It is unknown if the record is
// not that of the part with the tag.
func sumOf(record, tag string) storage.CRC32C {
	digits, ok := strings.CutPrefix(record, tag+" ")
	if !ok || len(digits) != len("00000000\n") {
		return storage.CRC32C{}
	}
	sum, err := strconv.ParseUint(strings.TrimSuffix(digits, "\n"), 16, 32)
	if err != nil {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: uint32(sum), Known: true}
}

// ListParts returns a page of the parts of an upload. It fails with ObjectNotFound if the key has no
// such upload.
func (u *Uploads) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	upload, err := u.Use(ctx, r.Key, r.Upload)
	if errors.Is(err, ErrUpload) {
		return nil, storage.ObjectNotFound
	}
	if err != nil {
		return nil, err
	}
	defer upload.Close()

	numbers, err := u.partNumbers(r.Upload, r.After)
	if err != nil {
		return nil, err
	}

	page := &driver.PartPage{More: len(numbers) > r.Limit}
	for _, number := range numbers[:min(len(numbers), r.Limit)] {
		if err := bucketdir.ContextError(ctx); err != nil {
			return nil, err
		}
		part, ok, err := u.describePart(ctx, upload.Dir, r.Upload, number)
		if err != nil {
			return nil, err
		}
		if !ok {
			// The part was removed meanwhile.
			continue
		}
		page.Parts = append(page.Parts, part)
	}
	return page, nil
}

// partNumbers returns the numbers of an upload's parts after the number after, in ascending order.
func (u *Uploads) partNumbers(upload string, after int) ([]int, error) {
	dir, err := u.tree.OpenToRead(uploadPath(upload))
	if err != nil {
		return nil, u.tree.PathLostError(err)
	}
	defer dir.Close()

	var numbers []int
	for e, err := range dir.Each {
		if err != nil {
			return nil, bucketdir.WrapError(err)
		}
		// The name of a part's file ends with a dash and the number, as in part-7.
		_, digits, _ := strings.Cut(e.Name, "-")
		number, err := strconv.Atoi(digits)
		if err != nil || number <= after {
			continue
		}
		if e.Name == partName(number) || e.Name == placedName(number) {
			numbers = append(numbers, number)
		}
	}

	// A part may have a file of its own and a slot.
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

// describePart returns a part with its checksum. If the checksum was not stored, describePart reads the
// part. If the part is replaced meanwhile, it starts again. ok is false if there is no such part.
//
// A part whose file has become the object in CompleteParts is returned without its checksum. If it were
// missing, a client could complete the upload again without this part.
func (u *Uploads) describePart(
	ctx context.Context, src *osdir.Dir, upload string, number int,
) (part driver.Part, ok bool, err error) {
	missingTag := "" // tag of the part whose file was missing in the last attempt
	findAndRead := func() error {
		var err error
		part, ok, err = u.findPart(src, upload, number)
		if err != nil {
			return err
		}
		if !ok || part.CRC32C.Known {
			return nil
		}
		if part.Tag == missingTag {
			// No client has replaced the part, so CompleteParts has moved its file.
			return nil
		}

		missingTag = ""
		part.CRC32C, err = readPartSum(ctx, src, part)
		if storage.CodeOf(err) == storage.InvalidArgument {
			// The file is missing, perhaps because another part has replaced this one.
			missingTag = part.Tag
			return bucketdir.ErrRetry
		}
		return err
	}
	err = bucketdir.Retry(ctx, findAndRead)
	return part, ok, err
}

// findPart returns the part with a number, with its checksum if that was stored. A file of the part's
// own takes precedence over a slot of the shared file. ok is false if there is no such part.
func (u *Uploads) findPart(src *osdir.Dir, upload string, number int) (part driver.Part, ok bool, err error) {
	meta, err := src.Stat(partName(number))
	if osdir.IsNotExist(err) {
		part, ok = u.partInSlot(src, number)
		return part, ok, nil
	}
	if err != nil {
		return driver.Part{}, false, bucketdir.WrapError(err)
	}
	if meta.Kind != osdir.KindFile {
		return driver.Part{}, false, nil
	}

	part = driver.Part{Number: number, Tag: objectfile.MakeTag(meta).Revision(), Size: meta.Size}
	// Ignore a missing record: the checksum is then unknown.
	record, _ := u.tree.ReadSmall(uploadPath(upload) + "/" + sumName(number))
	part.CRC32C = sumOf(record, part.Tag)
	return part, true, nil
}

// readPartSum reads a part to compute its checksum. It fails with InvalidArgument if the part was
// replaced.
func readPartSum(ctx context.Context, src *osdir.Dir, part driver.Part) (storage.CRC32C, error) {
	file, offset, size, err := openPart(src, part)
	if err != nil {
		return storage.CRC32C{}, err
	}
	defer file.Close()

	sum := crc32c.New()
	if _, err := io.Copy(sum, running.Reader(ctx, io.NewSectionReader(file, offset, size))); err != nil {
		// The read also fails if ctx ends.
		if err := bucketdir.ContextError(ctx); err != nil {
			return storage.CRC32C{}, err
		}
		return storage.CRC32C{}, bucketdir.WrapError(err)
	}
	return storage.CRC32C{Sum: sum.Sum32(), Known: true}, nil
}

// List returns a page of the uploads in progress, sorted by their IDs.
func (u *Uploads) List(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	names, err := u.uploadNames(r.Token)
	if err != nil {
		return nil, err
	}

	page := &driver.UploadPage{}
	for _, name := range names {
		if err := bucketdir.ContextError(ctx); err != nil {
			return nil, err
		}
		if len(page.Uploads) == r.Limit {
			page.Token = page.Uploads[r.Limit-1].Upload
			break
		}
		if entry, ok := u.describeUpload(name); ok && strings.HasPrefix(entry.Key, r.Prefix) {
			page.Uploads = append(page.Uploads, entry)
		}
	}
	return page, nil
}

// uploadNames returns the names of the uploads in progress that sort after startAfter.
func (u *Uploads) uploadNames(startAfter string) ([]string, error) {
	info, err := u.tree.Root.Lstat(bucketdir.UploadsPath)
	isMissing := osdir.IsNoFile(err)
	if err != nil && !isMissing {
		return nil, bucketdir.WrapError(err)
	}
	if isMissing || !info.IsDir() {
		// There are no uploads, unless the bucket's directory itself was removed or replaced.
		return nil, u.tree.CheckPath()
	}

	uploads, err := u.tree.OpenToRead(bucketdir.UploadsPath)
	if err != nil {
		return nil, u.tree.PathLostError(err)
	}
	defer uploads.Close()
	names, err := uploads.Names(func(e osdir.Entry) bool { return validUpload(e.Name) && e.Name > startAfter })
	return names, bucketdir.WrapError(err)
}

// describeUpload returns the entry of an upload in a listing. ok is false if the upload has ended or
// cannot be read.
func (u *Uploads) describeUpload(name string) (entry storage.UploadEntry, ok bool) {
	dir, err := u.tree.Open(uploadPath(name))
	if err != nil {
		return storage.UploadEntry{}, false
	}
	defer u.tree.CloseDir(dir)

	f, err := dir.Open(uploadKeyName)
	if err != nil {
		return storage.UploadEntry{}, false
	}
	keyFile := f.OSFile(uploadKeyName)
	defer keyFile.Close()
	if f.Meta.Kind != osdir.KindFile {
		return storage.UploadEntry{}, false
	}
	key, err := readKey(keyFile)
	if err != nil {
		return storage.UploadEntry{}, false
	}
	return storage.UploadEntry{Key: string(key), Upload: name, Begun: f.Meta.Time()}, true
}
