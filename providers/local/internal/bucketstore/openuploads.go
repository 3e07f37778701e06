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

// sumRecord returns the content of the file with a part's checksum: the part's tag and the
// checksum.
func sumRecord(tag string, crc storage.CRC32C) string {
	if !crc.Known {
		return tag + " \n"
	}
	return fmt.Sprintf("%s %08x\n", tag, crc.Sum)
}

// sumOf returns the checksum in a record that sumRecord wrote. If the record has another tag, it
// belongs to another part, and the checksum is unknown.
func sumOf(record, tag string) (sum storage.CRC32C) {
	hexadecimal, ok := strings.CutPrefix(record, tag+" ")
	crc, err := strconv.ParseUint(strings.TrimSuffix(hexadecimal, "\n"), 16, 32)
	if !ok || err != nil || len(hexadecimal) != len("00000000\n") {
		return sum
	}
	return storage.CRC32C{Sum: uint32(crc), Known: true}
}

// ListParts returns a page of the parts of an upload.
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
		if err := bucketdir.Interrupted(ctx); err != nil {
			return nil, err
		}
		part, ok, err := u.describePart(ctx, upload.Dir, r.Upload, number)
		if err != nil {
			return nil, err
		}
		if ok {
			page.Parts = append(page.Parts, part)
		}
	}
	return page, nil
}

// partNumbers returns the part numbers of an upload, in ascending order. It omits numbers that are
// not greater than marker.
func (u *Uploads) partNumbers(upload string, marker int) ([]int, error) {
	dir, err := u.tree.OpenToRead(uploadPath(upload))
	if err != nil {
		return nil, u.tree.PathLostError(err)
	}
	defer dir.Close()
	var numbers []int
	err = dir.Each(func(e osdir.Entry) bool {
		_, text, _ := strings.Cut(e.Name, "-")
		number, err := strconv.Atoi(text)
		if err != nil || number <= marker {
			return true
		}
		if e.Name == partName(number) || e.Name == placedName(number) {
			numbers = append(numbers, number)
		}
		return true
	})
	slices.Sort(numbers)
	return slices.Compact(numbers), bucketdir.Failure(err)
}

// describePart describes a part. If the part's checksum was not stored, it reads the part. If the
// part is replaced meanwhile, it starts over. If the part does not exist, ok is false.
//
// CompleteParts may rename the file of a part, so that the file becomes the object. The part is
// still listed. Otherwise a client could complete the upload again without this part.
func (u *Uploads) describePart(
	ctx context.Context, src *osdir.Dir, upload string, number int,
) (part driver.Part, ok bool, err error) {
	lastTag := ""
	err = bucketdir.Retry(ctx, func() (err error) {
		part, ok, err = u.findPart(src, upload, number)
		if err != nil {
			lastTag = ""
			return err
		}
		if !ok || part.CRC32C.Known {
			return nil
		}
		if part.Tag == lastTag {
			// The part was not replaced by another one: CompleteParts has renamed its file.
			return nil
		}
		lastTag = part.Tag
		part.CRC32C, err = readPartSum(ctx, src, part)
		if storage.CodeOf(err) == storage.InvalidArgument {
			return bucketdir.ErrAgain
		}
		return err
	})
	return part, ok, err
}

// findPart returns the part with a number, with its checksum if that was stored. If the part is
// both in a file of its own and in a slot of the shared file, findPart returns the part in
// the file of its own. If there is no part, ok is false.
func (u *Uploads) findPart(src *osdir.Dir, upload string, number int) (part driver.Part, ok bool, err error) {
	meta, err := src.Stat(partName(number))
	if osdir.IsNotExist(err) {
		part, ok = u.placedPart(src, number)
		return part, ok, nil
	}
	if err != nil {
		return driver.Part{}, false, bucketdir.Failure(err)
	}
	if meta.Kind != osdir.KindFile {
		return driver.Part{}, false, nil
	}

	part = driver.Part{Number: number, Tag: objectfile.MakeTag(meta).Revision(), Size: meta.Size}
	// Without a record, the checksum is unknown.
	record, _ := u.tree.ReadSmall(uploadPath(upload) + "/" + sumName(number))
	part.CRC32C = sumOf(record, part.Tag)
	return part, true, nil
}

// readPartSum reads a part and returns its checksum. If the part was replaced, it fails with
// InvalidArgument.
func readPartSum(ctx context.Context, src *osdir.Dir, part driver.Part) (storage.CRC32C, error) {
	file, offset, size, err := openPart(src, part)
	if err != nil {
		return storage.CRC32C{}, err
	}
	defer file.Close()
	sum := crc32c.New()
	if _, err := io.Copy(sum, running.Reader(ctx, io.NewSectionReader(file, offset, size))); err != nil {
		if err := bucketdir.Interrupted(ctx); err != nil {
			return storage.CRC32C{}, err
		}
		return storage.CRC32C{}, bucketdir.Failure(err)
	}
	return storage.CRC32C{Sum: sum.Sum32(), Known: true}, nil
}

// List returns a page of the uploads in progress, sorted by their names.
func (u *Uploads) List(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	names, err := u.uploadNames(r.Token)
	if err != nil {
		return nil, err
	}
	page := &driver.UploadPage{}
	for _, name := range names {
		if err := bucketdir.Interrupted(ctx); err != nil {
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

// uploadNames returns the sorted names of the uploads in progress. It omits names that are not
// greater than startAfter.
func (u *Uploads) uploadNames(startAfter string) ([]string, error) {
	info, err := u.tree.Root.Lstat(bucketdir.UploadsPath)
	if err != nil && !osdir.IsNoFile(err) {
		return nil, bucketdir.Failure(err)
	}
	if err != nil || !info.IsDir() {
		return nil, u.tree.CheckPlace()
	}

	uploads, err := u.tree.OpenToRead(bucketdir.UploadsPath)
	if err != nil {
		return nil, u.tree.PathLostError(err)
	}
	defer uploads.Close()
	names, err := uploads.Names(func(e osdir.Entry) bool { return validUpload(e.Name) && e.Name > startAfter })
	return names, bucketdir.Failure(err)
}

// describeUpload returns the entry of an upload in a listing. If the upload has ended or cannot be
// read, ok is false.
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
	file := f.OSFile(uploadKeyName)
	defer file.Close()
	if f.Meta.Kind != osdir.KindFile {
		return storage.UploadEntry{}, false
	}
	key, err := readKey(file)
	return storage.UploadEntry{Key: string(key), Upload: name, Begun: f.Meta.Time()}, err == nil
}
