package local

import (
	"cmp"
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
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// sumName returns the name of the file with the checksum of a part, which is beside the part.
// The file names the tag of the part, so that it is not taken for that of another part. It is a
// cache: without the file, the part is read.
func sumName(number int) string { return "sum-" + strconv.Itoa(number) }

const (
	partPrefix = "part-"
	maxSumFile = 256 // bytes
)

// sumRecord is the content of such a file.
func sumRecord(tag string, crc storage.CRC32C) string {
	if !crc.Known {
		return tag + " \n"
	}
	return fmt.Sprintf("%s %08x\n", tag, crc.Sum)
}

// sumOf returns the checksum in a record, if the record is that of the part with this tag.
func sumOf(record, tag string) (sum storage.CRC32C) {
	hexadecimal, found := strings.CutPrefix(record, tag+" ")
	crc, err := strconv.ParseUint(strings.TrimSuffix(hexadecimal, "\n"), 16, 32)
	if !found || err != nil || len(hexadecimal) != len("00000000\n") {
		return sum
	}
	return storage.CRC32C{Sum: uint32(crc), Known: true}
}

// readSmall returns the content of a small file, such as a record.
func (t *tree) readSmall(path string) (text string, ok bool) {
	f, err := t.root.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxSumFile))
	return string(content), err == nil
}

// ListParts returns the parts that are there now, with their checksums.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	u, err := s.uploads.upload(ctx, r.Key, r.Upload)
	if errors.Is(err, errUpload) {
		return nil, storage.ObjectNotFound
	}
	if err != nil {
		return nil, err
	}
	defer u.close()
	numbers, err := s.uploads.partNumbers(r.Upload, r.After)
	if err != nil {
		return nil, err
	}
	page := &driver.PartPage{More: len(numbers) > r.Limit}
	for _, number := range numbers[:min(len(numbers), r.Limit)] {
		if err := interrupted(ctx); err != nil {
			return nil, err
		}
		part, found, err := s.uploads.describePart(ctx, u.dir, r.Upload, number)
		if err != nil {
			return nil, err
		}
		if found {
			page.Parts = append(page.Parts, part)
		}
	}
	return page, nil
}

// partNumbers returns, in ascending order, the numbers of the parts of an upload that are
// greater than after.
func (u *uploads) partNumbers(upload string, after int) ([]int, error) {
	d, err := u.tree.openToRead(uploadPath(upload))
	if err != nil {
		return nil, u.tree.pathLostError(err)
	}
	defer d.Close()
	var numbers []int
	err = d.Each(func(e osdir.Entry) bool {
		_, text, _ := strings.Cut(e.Name, "-")
		number, err := strconv.Atoi(text)
		if err == nil && number > after && (e.Name == partName(number) || e.Name == placedName(number)) {
			numbers = append(numbers, number)
		}
		return true
	})
	slices.Sort(numbers)
	return slices.Compact(numbers), failure(err)
}

// describePart describes a part, which it reads only if its checksum was not kept. If the part is
// replaced meanwhile, it starts over. ok is false if there is no such part any more. A part whose
// file CompleteParts has already used for the object stays listed, because otherwise another
// CompleteParts would make an object of the other parts.
func (u *uploads) describePart(
	ctx context.Context, from *osdir.Dir, upload string, number int,
) (part driver.Part, ok bool, err error) {
	err = retry(ctx, func() (err error) {
		last := part.Tag
		part, ok, err = u.findPart(from, upload, number)
		if !ok || err != nil || part.CRC32C.Known || part.Tag == last {
			return err
		}
		part.CRC32C, err = readPartSum(ctx, from, part)
		if storage.CodeOf(err) == storage.InvalidArgument {
			return errAgain
		}
		return err
	})
	return part, ok, err
}

// findPart returns the part with that number, and its checksum if that was kept. A part in a file
// of its own takes precedence over one in a slot.
func (u *uploads) findPart(from *osdir.Dir, upload string, number int) (part driver.Part, ok bool, err error) {
	m, err := from.Stat(partName(number))
	switch {
	case osdir.IsNotExist(err):
		part, ok = u.placedPart(from, number)
		return part, ok, nil
	case err != nil:
		return part, false, failure(err)
	case m.Kind != osdir.KindFile:
		return part, false, nil
	}
	part = driver.Part{Number: number, Tag: makeTag(m).revision(), Size: m.Size}
	record, _ := u.tree.readSmall(uploadPath(upload) + "/" + sumName(number))
	part.CRC32C = sumOf(record, part.Tag)
	return part, true, nil
}

// readPartSum reads a part. If it was replaced, readPartSum fails with InvalidArgument.
func readPartSum(ctx context.Context, from *osdir.Dir, part driver.Part) (storage.CRC32C, error) {
	file, offset, size, err := openPart(from, part)
	if err != nil {
		return storage.CRC32C{}, err
	}
	defer func() { _ = file.Close() }()
	sum := crc32c.New()
	if _, err := io.Copy(sum, ctxtime.Reader(ctx, io.NewSectionReader(file, offset, size))); err != nil {
		return storage.CRC32C{}, cmp.Or(interrupted(ctx), failure(err))
	}
	return storage.CRC32C{Sum: sum.Sum32(), Known: true}, nil
}

// ListUploads returns the uploads in progress, by their names. An upload that it cannot read,
// because it ends meanwhile, is left out.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	names, err := s.uploads.uploadNames(r.Token)
	if err != nil {
		return nil, err
	}
	page := &driver.UploadPage{}
	for _, name := range names {
		if err := interrupted(ctx); err != nil {
			return nil, err
		}
		if len(page.Uploads) == r.Limit {
			page.Token = page.Uploads[r.Limit-1].Upload
			break
		}
		if entry, ok := s.uploads.describeUpload(name); ok && strings.HasPrefix(entry.Key, r.Prefix) {
			page.Uploads = append(page.Uploads, entry)
		}
	}
	return page, nil
}

// uploadNames returns the names of uploads that are greater than after, sorted.
func (u *uploads) uploadNames(after string) ([]string, error) {
	if fi, err := u.tree.root.Lstat(uploadsPath); err != nil || !fi.IsDir() {
		return nil, cmp.Or(unlessAbsent(err), u.tree.checkPlace())
	}
	uploads, err := u.tree.openToRead(uploadsPath)
	if err != nil {
		return nil, u.tree.pathLostError(err)
	}
	defer uploads.Close()
	names, err := uploads.Names(func(e osdir.Entry) bool { return validUpload(e.Name) && e.Name > after })
	return names, failure(err)
}

func (u *uploads) describeUpload(name string) (entry storage.UploadEntry, ok bool) {
	d, err := u.tree.open(uploadPath(name))
	if err != nil {
		return entry, false
	}
	defer u.tree.closeDir(d)
	f, err := d.Open(uploadKeyName)
	if err != nil || f.Meta.Kind != osdir.KindFile {
		return entry, false
	}
	file := f.OSFile(uploadKeyName)
	defer func() { _ = file.Close() }()
	key, err := readKey(file)
	return storage.UploadEntry{Key: string(key), Upload: name, Begun: f.Meta.Time()}, err == nil
}
