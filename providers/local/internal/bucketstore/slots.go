package bucketstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// The parts of an upload share one file if they can. Each part is written at the offset that it
// will have in the object. CompleteParts then only renames the file, and copies no bytes. The
// offsets are not known before the upload is complete, so they are guessed. The guess is that all
// parts except the last have the same size. If the guess is wrong for a part, the part is stored in
// a separate file.
//
// The range of a part in the shared file is its slot. A writer reserves a slot when it creates the
// file slotName. No other writer uses a reserved slot. After the writer has written the part, it
// renames slotName to placedName. From then on the part exists, and nobody writes to the slot. If a
// client sends the part again, the new part is stored in a separate file, which takes precedence.
// If a writer is killed, its slotName remains, and the slot stays reserved.
//
// A writer holds a shared lock on the shared file. CompleteParts needs an exclusive lock to rename
// the file. If it cannot get the lock, it copies the parts.
//
// If CompleteParts is killed during the rename, the shared file has become the object. The name of
// the shared file can remain in the upload, in one of two states:
//
//   - The name is a second name of the new object's file.
//   - The name belongs to the file of the old object, which the new object has replaced.
//
// Nobody may change either of these files. So a writer checks two things before it writes: the file
// has only one name, and its inode is the inode in the layout.

// layoutName is the name of the layout file of an upload. The layout file contains an assumed size
// of the parts, and the name of another file, which the parts share. The assumed size is the size
// of the part that arrived first. This part may be the last part of the object, and smaller than
// the other parts. If a larger part arrives, a new layout file replaces the old layout file. The
// new layout file contains the larger size, and the name of a new shared file.
const layoutName = "layout"

// maxHole limits the gap in bytes between the end of the file and the offset of a new part. Some
// file systems write the bytes of a gap to the disk.
const maxHole = 1 << 30

// slotsWork is true if an open file can be renamed, which is not so on Windows.
const slotsWork = runtime.GOOS != "windows"

func slotName(number int) string { return fmt.Sprint("slot-", number) }

func placedName(number int) string { return fmt.Sprint("placed-", number) }

// A layout is the content of the file layoutName.
type layout struct {
	file     string // name of the file that the parts share
	ino      uint64 // inode of file
	partSize int64  // bytes
}

// A slot is the range of one part in a file that parts share.
type slot struct {
	file         string
	ino          uint64 // inode of file; during CompleteParts, another file may have the same name
	number       int
	offset, size int64 // bytes
}

const slotFormat = "%s@%x-%d-%x-%x"

// tag returns the tag of a part that is stored in this slot.
func (s slot) tag() string {
	return fmt.Sprintf(slotFormat, s.file, s.ino, s.number, s.offset, s.size)
}

// SlotOf parses the slot of a part from the part's tag. ok is false if the part is in a file of its
// own.
func SlotOf(part driver.Part) (s slot, ok bool) {
	file, rest, ok := strings.Cut(part.Tag, "@")
	if !ok || !validShared(file) {
		return slot{}, false
	}
	s.file = file
	restFormat := strings.TrimPrefix(slotFormat, "%s@") // without the file, which has been parsed
	if _, err := fmt.Sscanf(rest, restFormat, &s.ino, &s.number, &s.offset, &s.size); err != nil {
		return slot{}, false
	}
	return s, s.number == part.Number && s.offset >= 0 && s.size > 0
}

const sharedPrefix = "shared-"

func validShared(file string) bool {
	random, ok := strings.CutPrefix(file, sharedPrefix)
	return ok && validUpload(random)
}

// putInSlot stores a part in its slot of the shared file. If done is false, that was impossible: the
// body has not been read, and the part needs a file of its own. A mode that is not 0 must be that of
// the shared file.
func (u *Uploads) putInSlot(
	ctx context.Context, dst *osdir.Dir, r *driver.PartRequest, mode uint32,
) (part driver.Part, done bool, err error) {
	f, s := u.openSlot(ctx, dst, r)
	if f == nil {
		return driver.Part{}, false, nil
	}
	part, done, err = u.putInOpenSlot(ctx, dst, f, s, r, mode)
	return part, done, errors.Join(err, bucketdir.WrapError(f.Close()))
}

// putInOpenSlot stores a part in s, its slot of the open shared file f. If done is false, it has done
// nothing, because the file has another mode than the part needs, or another writer has claimed the slot.
func (u *Uploads) putInOpenSlot(
	ctx context.Context, dst *osdir.Dir, f *osdir.File, s slot, r *driver.PartRequest, mode uint32,
) (part driver.Part, done bool, err error) {
	hasRightMode := mode == 0 || mode == f.Meta.Mode
	if !hasRightMode || !u.claimSlot(dst, r.Number) {
		return driver.Part{}, false, nil
	}

	if err := u.fillSlot(ctx, dst, f, s, r); err != nil {
		// Remove the file that has claimed the slot, so that the part can be sent again.
		_ = dst.Unlink(slotName(r.Number))
		return driver.Part{}, true, err
	}
	if err := u.tree.Flush(dst); err != nil {
		return driver.Part{}, true, bucketdir.WrapError(err)
	}
	return driver.Part{Number: r.Number, Tag: s.tag(), Size: s.size, CRC32C: r.CRC32C}, true, nil
}

// openSlot opens the file that the parts of an upload share, and seeks to the slot of a part, the range
// in the file that is reserved for it. The file is locked until it is closed. openSlot returns nil if
// the part cannot have a slot, and must be stored in a file of its own.
func (u *Uploads) openSlot(ctx context.Context, dst *osdir.Dir, r *driver.PartRequest) (*osdir.File, slot) {
	// An empty part has no range in the file.
	if !slotsWork || r.Size <= 0 {
		return nil, slot{}
	}
	l, ok := u.layoutFor(ctx, dst, r)
	if !ok {
		return nil, slot{}
	}
	f, err := dst.Edit(l.file)
	if err != nil {
		return nil, slot{}
	}

	// The slots are in the order of the parts, and have equal sizes.
	offset := int64(r.Number-1) * l.partSize
	f.Meta, err = f.Stat()
	if err != nil || !lockShared(dst, f, l, offset) {
		_ = f.Close()
		return nil, slot{}
	}
	return f, slot{
		file:   l.file,
		ino:    f.Meta.Ino,
		number: r.Number,
		offset: offset,
		size:   r.Size,
	}
}

// lockShared takes a shared lock on f, the shared file of a layout, and seeks to offset. It returns
// false if a part cannot be written there. Closing the file ends the lock.
func lockShared(dst *osdir.Dir, f *osdir.File, l layout, offset int64) bool {
	hole := offset - f.Meta.Size // bytes between the end of the file and the part
	if hole > maxHole {
		return false
	}
	file := f.OSFile(l.file)
	if osdir.TryShare(file) != nil {
		return false
	}
	if !isStillShared(dst, f, l) {
		return false
	}
	_, err := file.Seek(offset, io.SeekStart)
	return err == nil
}

// isStillShared reports whether f is the file of the layout and has only its name there. Before it was
// locked, CompleteParts may have made it the object.
func isStillShared(dst *osdir.Dir, f *osdir.File, l layout) bool {
	meta, err := dst.Stat(l.file)
	if err != nil || meta.Links > 1 {
		return false
	}
	return meta.Ino == l.ino && meta.Ino == f.Meta.Ino
}

// claimSlot reserves a slot for this writer. It returns false if another writer has reserved it, or
// if there is a part with the number.
func (u *Uploads) claimSlot(dst *osdir.Dir, number int) bool {
	name := slotName(number)
	f, err := dst.Create(name)
	if err != nil {
		return false
	}
	// The time shows a sweep that the upload is not idle.
	timeErr := f.SetTime(dst, name, u.tree.Clock.Now())
	closeErr := f.Close()

	isWritten := timeErr == nil && closeErr == nil
	// The number is free if it has neither a part in the shared file nor one in a file of its own.
	if isWritten && isFree(dst, placedName(number)) && isFree(dst, partName(number)) {
		return true
	}
	_ = dst.Unlink(name)
	return false
}

// isFree reports whether no file in dir has the name base.
func isFree(dir *osdir.Dir, base string) bool {
	_, err := dir.Stat(base)
	return osdir.IsNotExist(err)
}

// fillSlot writes the body of a part into its slot, and then makes the part exist.
func (u *Uploads) fillSlot(ctx context.Context, dst *osdir.Dir, f *osdir.File, s slot, r *driver.PartRequest) error {
	if err := u.writeSlot(ctx, f, s, r.Body); err != nil {
		return err
	}
	if err := f.SetTime(dst, s.file, u.tree.Clock.Now()); err != nil {
		return bucketdir.WrapError(err)
	}
	// The bytes must be on the disk before the part exists.
	if u.tree.Sync {
		if err := f.Sync(); err != nil {
			return bucketdir.WrapError(err)
		}
	}

	err := u.publishSlot(dst, s, r)
	if osdir.IsNotExist(err) {
		// The upload was aborted or completed meanwhile.
		return uploadEndedError(u.tree)
	}
	return bucketdir.WrapError(err)
}

// writeSlot writes body, which must have the size of the slot, at the position of f. A longer body
// would overwrite the next part.
func (u *Uploads) writeSlot(ctx context.Context, f *osdir.File, s slot, body io.Reader) error {
	limited := &bodyio.LimitedReader{
		Body:     body,
		Left:     s.size,
		TooLarge: errPartSize,
	}
	if err := u.staging.Fill(ctx, f, limited); err != nil {
		return err
	}
	if limited.Left != 0 {
		return errPartSize
	}
	return nil
}

// publishSlot records the part in a slot, and then renames the slot's file from slotName to
// placedName, which makes the part exist.
func (u *Uploads) publishSlot(dst *osdir.Dir, s slot, r *driver.PartRequest) error {
	flush := u.tree.Sync && r.AnyOrder
	if err := u.recordSlot(dst, s, r.CRC32C, flush); err != nil {
		return err
	}
	return dst.Rename(placedName(s.number), dst, slotName(s.number))
}

// recordSlot writes the tag and the checksum of the part in a slot to the slot's file, from which
// ListParts reads them. If flush is true, they survive a power failure.
func (u *Uploads) recordSlot(dst *osdir.Dir, s slot, crc storage.CRC32C, flush bool) error {
	f, err := dst.Edit(slotName(s.number))
	if err != nil {
		return err
	}
	err = u.writeSlotRecord(dst, f, s, crc, flush)
	return errors.Join(err, f.Close())
}

// writeSlotRecord writes the tag and the checksum of the part in a slot to f, the slot's file, and flushes
// the file to the disk if flush is true.
func (u *Uploads) writeSlotRecord(dst *osdir.Dir, f *osdir.File, s slot, crc storage.CRC32C, flush bool) error {
	name := slotName(s.number)
	if _, err := f.OSFile(name).WriteString(sumRecord(s.tag(), crc)); err != nil {
		return err
	}
	if err := f.SetTime(dst, name, u.tree.Clock.Now()); err != nil {
		return err
	}
	if !flush {
		return nil
	}
	return f.Sync()
}

var errPartSize = &storage.Error{
	Code: storage.Internal,
	Err:  errors.New("the body of the part has not the size of the request"),
}

// layoutFor returns a layout whose slots are large enough for the part. If the upload has no such
// layout, layoutFor creates one, with slots of the part's size. ok is false if that is impossible.
func (u *Uploads) layoutFor(ctx context.Context, dst *osdir.Dir, r *driver.PartRequest) (l layout, ok bool) {
	current, exists := u.readLayout(dst)
	if exists && r.Size <= current.partSize {
		return current, true
	}

	// A new layout has a new, empty file, and the slots of the earlier parts come first in it. Some file
	// systems would write all these bytes to the disk.
	hasLargeHole := int64(r.Number-1) > maxHole/r.Size
	if hasLargeHole {
		return layout{}, false
	}

	// The new layout replaces one with smaller slots.
	created, ok := u.createLayout(ctx, dst, r.Size, exists)
	if ok {
		return created, true
	}
	// Another writer may have created a layout meanwhile.
	current, exists = u.readLayout(dst)
	return current, exists && r.Size <= current.partSize
}

// createLayout creates an empty shared file and the layout file that names it. If replace is true, the
// layout file replaces an old one. If it is false, createLayout returns false if another writer has
// created a layout file meanwhile.
func (u *Uploads) createLayout(ctx context.Context, dst *osdir.Dir, partSize int64, replace bool) (l layout, ok bool) {
	l = layout{file: sharedPrefix + bucketdir.RandomName(), partSize: partSize}
	if !u.addFile(ctx, dst, l.file, "") {
		return layout{}, false
	}
	meta, err := dst.Stat(l.file)
	if err != nil {
		_ = dst.Unlink(l.file)
		return layout{}, false
	}

	l.ino = meta.Ino
	content := fmt.Sprintln(l.file, l.ino, l.partSize)
	if replace {
		ok = u.putFile(ctx, dst, layoutName, content)
	} else {
		ok = u.addFile(ctx, dst, layoutName, content)
	}
	if !ok {
		_ = dst.Unlink(l.file)
		return layout{}, false
	}
	return l, true
}

// readLayout reads the layout file of an upload. ok is false if the file is missing or not valid.
func (u *Uploads) readLayout(src *osdir.Dir) (l layout, ok bool) {
	content, err := u.tree.Root.ReadFile(src.PathOf(layoutName))
	if err != nil {
		return layout{}, false
	}
	_, err = fmt.Sscan(string(content), &l.file, &l.ino, &l.partSize)
	return l, err == nil && validShared(l.file) && l.partSize > 0
}

// addFile atomically adds a file with this content to an upload, and reports whether it succeeded. It does
// not if there is a file with the name.
func (u *Uploads) addFile(ctx context.Context, dst *osdir.Dir, base, content string) bool {
	staged, err := u.stageText(ctx, content)
	if err != nil {
		return false
	}
	defer u.staging.Discard(staged)

	// Unlike a rename, a link never replaces a file.
	return dst.Link(base, staged.Dir, staged.Name) == nil
}

// putFile atomically adds a file with this content to an upload, or replaces the file with the name. It
// reports whether it succeeded.
func (u *Uploads) putFile(ctx context.Context, dst *osdir.Dir, base, content string) bool {
	staged, err := u.stageText(ctx, content)
	if err != nil {
		return false
	}
	defer u.staging.Discard(staged)

	if dst.Rename(base, staged.Dir, staged.Name) != nil {
		return false
	}
	staged.MarkPlaced()
	return true
}

// sharedRun returns the shared file of an upload, if the file is the beginning of the object: it must
// consist of the first parts in their order. count is their number. The file is locked against writers,
// and the caller may append the other parts to it before it discards the file. If the bytes must be
// copied instead, sharedRun returns nil.
func (u *Uploads) sharedRun(src *osdir.Dir, parts []driver.Part) (shared *objectfile.StagedFile, count int) {
	if len(parts) == 0 {
		return nil, 0
	}
	first, isInSlot := SlotOf(parts[0])
	if !isInSlot {
		return nil, 0
	}

	f, err := src.Edit(first.file)
	if err != nil {
		return nil, 0
	}
	count, size := countContiguous(src, first, parts)
	staged := &objectfile.StagedFile{Dir: src, Name: first.file, SharedFile: f.OSFile(first.file)}
	if !takeShared(staged, f, first, size) {
		// This closes the file, and does not remove it, because staged.SharedFile is set.
		u.staging.Discard(staged)
		return nil, 0
	}
	return staged, count
}

// takeShared locks the shared file f, which is also staged.SharedFile, and opens it again as staged.File,
// positioned at its end. It returns false if a writer of a part has locked f, or if f is not the file
// of the slot first with size bytes.
func takeShared(staged *objectfile.StagedFile, f *osdir.File, first slot, size int64) bool {
	// Without the lock, the file could still grow. The lock is that of SharedFile, so it stays when
	// staged.File is closed.
	if osdir.TryLock(staged.SharedFile) != nil {
		return false
	}
	meta, err := f.Stat()
	if err != nil {
		return false
	}
	if meta.Links > 1 {
		// The file has become an object already.
		return false
	}
	if meta.Ino != first.ino || meta.Size != size {
		return false
	}

	staged.File, err = staged.Dir.Edit(staged.Name)
	if err != nil {
		return false
	}
	_, err = staged.File.OSFile(staged.Name).Seek(size, io.SeekStart)
	return err == nil
}

// countContiguous returns how many of the first parts follow each other without a gap in the file of the
// slot first, and their total size in bytes.
func countContiguous(src *osdir.Dir, first slot, parts []driver.Part) (count int, size int64) {
	for _, part := range parts {
		s, ok := SlotOf(part)
		if !ok {
			break
		}
		isInFile := s.file == first.file && s.ino == first.ino
		isNext := s.offset == size
		if !isInFile || !isNext || !isComplete(src, part.Number) {
			break
		}
		count++
		size += s.size
	}
	return count, size
}

// isComplete reports whether the part in a slot is complete, and no other file has replaced it.
func isComplete(src *osdir.Dir, number int) bool {
	meta, err := src.Stat(placedName(number))
	return err == nil && meta.Kind == osdir.KindFile && isFree(src, partName(number))
}

// partInSlot returns the part with this number if it is in a slot of the shared file. ok is false if the
// slot was not filled. It reads the record that the writer of the part has stored at the end.
func (u *Uploads) partInSlot(src *osdir.Dir, number int) (part driver.Part, ok bool) {
	record, ok := u.tree.ReadSmall(src.PathOf(placedName(number)))
	if !ok {
		return driver.Part{}, false
	}
	// A record consists of the tag and the checksum. The tag contains the position and the size of the slot.
	tag, _, ok := strings.Cut(record, " ")
	if !ok {
		return driver.Part{}, false
	}
	part = driver.Part{Number: number, Tag: tag, CRC32C: sumOf(record, tag)}
	s, ok := SlotOf(part)
	if !ok {
		return driver.Part{}, false
	}
	part.Size = s.size
	return part, true
}

// openPart opens the file that contains a part, and returns the part's offset and size in it. It fails
// with InvalidArgument if the part does not exist or was replaced.
func openPart(src *osdir.Dir, part driver.Part) (file *os.File, offset, size int64, err error) {
	// A part is in a slot of the shared file or in a file of its own.
	s, isInSlot := SlotOf(part)
	base := partName(part.Number)
	if isInSlot {
		base = s.file
	}

	f, err := src.Open(base)
	if osdir.IsNotExist(err) {
		return nil, 0, 0, errPart(part)
	}
	if err != nil {
		return nil, 0, 0, bucketdir.WrapError(err)
	}

	// The file must still be the one in which the part was stored.
	file = f.OSFile(base)
	if isInSlot {
		if f.Meta.Ino != s.ino || !isComplete(src, part.Number) {
			_ = file.Close()
			return nil, 0, 0, errPart(part)
		}
		return file, s.offset, s.size, nil
	}
	if objectfile.MakeTag(f.Meta).Revision() != part.Tag {
		_ = file.Close()
		return nil, 0, 0, errPart(part)
	}
	return file, 0, f.Meta.Size, nil
}
