package local

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
	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Parts of an upload share a file if they can, each at the place that it will have in the
// object. CompleteParts then only gives that file its name: it copies no bytes. Nobody knows
// that place before the upload is complete, so it is a guess: all parts but the last have one
// size. A part for which the guess is wrong has a file of its own.
//
// The place of a part is its slot, and belongs to whoever first makes the file slotName. The
// part exists once that is renamed to placedName. From then on nobody writes to the slot: a
// part that replaces it has a file of its own, which counts more. A writer that was killed
// leaves its slotName, and the slot is not used again.
//
// A writer holds a shared lock on the file. CompleteParts takes an exclusive one before it
// gives the file away. If it cannot, it copies. If it was killed while it gave the file away,
// that may be an object already and still have its name here, or this name may be that of an
// object that it replaced. So the layout has the inode, and nobody writes to a file with two
// names.

// layoutName is the file that tells which file the parts share now. A longer part than all
// before it replaces it: that before was the last one of the object.
const layoutName = "layout"

// maxHole bounds the distance in bytes at which a part is written after the end of the file.
// Some file systems write the bytes between.
const maxHole = 1 << 30

// slotsWork is false on Windows, where a file that is open cannot be renamed.
const slotsWork = runtime.GOOS != "windows"

func slotName(number int) string { return fmt.Sprint("slot-", number) }

func placedName(number int) string { return fmt.Sprint("placed-", number) }

// A layout is the content of layoutName.
type layout struct {
	file     string // which parts share
	ino      uint64 // of file
	partSize int64  // bytes
}

// A slot is a part of a file that parts share.
type slot struct {
	file         string
	ino          uint64 // of file: while CompleteParts replaces an object, its file may have that name
	number       int
	offset, size int64 // bytes
}

const slotFormat = "%s@%x-%d-%x-%x"

// tag returns the tag of the part in the slot.
func (s slot) tag() string {
	return fmt.Sprintf(slotFormat, s.file, s.ino, s.number, s.offset, s.size)
}

// slotOf returns the slot of a part. ok is false if the part has a file of its own.
func slotOf(part driver.Part) (s slot, ok bool) {
	file, rest, ok := strings.Cut(part.Tag, "@")
	s.file = file
	if !ok || !validShared(file) {
		return s, false
	}
	_, err := fmt.Sscanf(rest, strings.TrimPrefix(slotFormat, "%s@"), &s.ino, &s.number, &s.offset, &s.size)
	return s, err == nil && s.number == part.Number && s.offset >= 0 && s.size > 0
}

const sharedPrefix = "shared-"

func validShared(file string) bool {
	random, ok := strings.CutPrefix(file, sharedPrefix)
	return ok && validUpload(random)
}

// putInSlot stores a part in its slot, if that has the mode. done is false if it must have a file of its own; its
// body is then not read.
func (u *uploads) putInSlot(
	ctx context.Context, to *osdir.Dir, r *driver.PartRequest, mode uint32,
) (part driver.Part, done bool, err error) {
	f, at := u.openSlot(ctx, to, r)
	if f == nil {
		return part, false, nil
	}
	defer func() { err = errors.Join(err, failure(f.Close())) }()
	if mode != 0 && mode != f.Meta.Mode || !u.claimSlot(to, r.Number) {
		return part, false, nil
	}
	if err := u.fillSlot(ctx, to, f, at, r); err != nil {
		_ = to.Unlink(slotName(r.Number))
		return part, true, err
	}
	return driver.Part{
			Number: r.Number,
			Tag:    at.tag(),
			Size:   at.size,
			CRC32C: r.CRC32C,
		}, true, failure(
			u.tree.flush(to),
		)
}

// openSlot opens and locks the file with the slot of a part. It returns nil if there is none.
func (u *uploads) openSlot(ctx context.Context, to *osdir.Dir, r *driver.PartRequest) (*osdir.File, slot) {
	if !slotsWork || r.Size <= 0 {
		return nil, slot{}
	}
	l, ok := u.layoutFor(ctx, to, r)
	if !ok {
		return nil, slot{}
	}
	f, err := to.Edit(l.file)
	if err != nil {
		return nil, slot{}
	}
	f.Meta, err = f.Stat()
	at := slot{file: l.file, ino: f.Meta.Ino, number: r.Number, offset: int64(r.Number-1) * l.partSize, size: r.Size}
	usable := err == nil && at.offset <= f.Meta.Size+maxHole && osdir.TryShare(f.OSFile(at.file)) == nil
	if usable { // else CompleteParts may have given it away before it was locked
		named, err := to.Stat(l.file)
		usable = err == nil && named.Ino == f.Meta.Ino && named.Ino == l.ino && named.Links <= 1
	}
	if usable {
		_, err = f.OSFile(at.file).Seek(at.offset, io.SeekStart)
		usable = err == nil
	}
	if !usable {
		_ = f.Close()
		return nil, slot{}
	}
	return f, at
}

// claimSlot makes the slot the caller's. It reports false if another writer has it, or if
// there is a part with that number.
func (u *uploads) claimSlot(to *osdir.Dir, number int) bool {
	f, err := to.Create(slotName(number))
	if err != nil {
		return false
	}
	err = errors.Join(f.SetTime(to, slotName(number), u.tree.clock.now()), f.Close())
	if err == nil && isFree(to, placedName(number)) && isFree(to, partName(number)) {
		return true
	}
	_ = to.Unlink(slotName(number))
	return false
}

func isFree(d *osdir.Dir, base string) bool {
	_, err := d.Stat(base)
	return osdir.IsNotExist(err)
}

// fillSlot writes the body, flushes it, and makes it the part.
func (u *uploads) fillSlot(ctx context.Context, to *osdir.Dir, f *osdir.File, at slot, r *driver.PartRequest) error {
	body := &bodylimit.Reader{
		Body: r.Body, Left: at.size, TooLarge: errPartSize,
	} // more bytes would be those of the next part
	if err := u.staging.fill(ctx, f, body); err != nil {
		return err
	}
	if body.Left != 0 {
		return errPartSize
	}
	err := f.SetTime(to, at.file, u.tree.clock.now())
	if err == nil && u.tree.sync {
		err = f.Sync()
	}
	if err != nil {
		return failure(err)
	}
	if err = u.recordSlot(to, at, r.CRC32C, u.tree.sync && r.AnyOrder); err == nil {
		err = to.Rename(placedName(at.number), to, slotName(at.number))
	}
	if osdir.IsNotExist(err) {
		return u.tree.uploadEndedError()
	}
	return failure(err)
}

// recordSlot writes the tag and the checksum of a part into the file that claims its slot, for
// ListParts. With flush, ListParts finds the part after a power failure.
func (u *uploads) recordSlot(to *osdir.Dir, at slot, crc storage.CRC32C, flush bool) error {
	f, err := to.Edit(slotName(at.number))
	if err != nil {
		return err
	}
	_, err = f.OSFile(slotName(at.number)).WriteString(sumRecord(at.tag(), crc))
	if err == nil {
		err = f.SetTime(to, slotName(at.number), u.tree.clock.now())
	}
	if err == nil && flush {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

var errPartSize = &storage.Error{
	Code: storage.Internal, Err: errors.New("the body of the part has not the size of the request"),
}

// layoutFor returns the layout with a slot for a part. Without one, it makes one.
func (u *uploads) layoutFor(ctx context.Context, to *osdir.Dir, r *driver.PartRequest) (l layout, ok bool) {
	l, found := u.readLayout(to)
	if found && r.Size <= l.partSize {
		return l, true
	}
	if int64(r.Number-1) > maxHole/r.Size {
		return layout{}, false
	}
	made := layout{file: sharedPrefix + randomName(), partSize: r.Size}
	if !u.addFile(ctx, to, made.file, "", true) {
		return layout{}, false
	}
	if m, err := to.Stat(made.file); err == nil {
		made.ino = m.Ino
		if u.addFile(ctx, to, layoutName, fmt.Sprintln(made.file, made.ino, made.partSize), !found) {
			return made, true
		}
	}
	_ = to.Unlink(made.file)
	l, found = u.readLayout(to) // of a writer that was faster
	return l, found && r.Size <= l.partSize
}

func (u *uploads) readLayout(from *osdir.Dir) (l layout, ok bool) {
	content, err := u.tree.root.ReadFile(from.PathOf(layoutName))
	if err != nil {
		return layout{}, false
	}
	_, err = fmt.Sscan(string(content), &l.file, &l.ino, &l.partSize)
	return l, err == nil && validShared(l.file) && l.partSize > 0
}

// addFile gives an upload a file with this content at once. With isNew, it fails if there is
// one with that name.
func (u *uploads) addFile(ctx context.Context, to *osdir.Dir, base, content string, isNew bool) bool {
	st, err := u.stageText(ctx, content)
	if err != nil {
		return false
	}
	defer u.staging.discard(st)
	if isNew {
		return to.Link(base, st.dir, st.name) == nil
	}
	if to.Rename(base, st.dir, st.name) != nil {
		return false
	}
	st.markPlaced()
	return true
}

// sharedRun returns the file that the first of the parts share, and how many they are, if
// nothing else is in it. The caller owns the file and may append to it. Without such a file,
// sharedRun returns nil.
func (u *uploads) sharedRun(from *osdir.Dir, parts []driver.Part) (*stagedFile, int) {
	if len(parts) == 0 {
		return nil, 0
	}
	first, ok := slotOf(parts[0])
	if !ok {
		return nil, 0
	}
	held, err := from.Edit(first.file)
	if err != nil {
		return nil, 0
	}
	run, size := countRun(from, first, parts)
	st := &stagedFile{dir: from, name: first.file, held: held.OSFile(first.file)}
	if osdir.TryLock(st.held) == nil { // its size is only known then
		m, err := held.Stat()
		if err == nil && m.Ino == first.ino && m.Links <= 1 && m.Size == size {
			st.file, err = from.Edit(first.file)
		}
		if err == nil && st.file != nil {
			_, err = st.file.OSFile(first.file).Seek(size, io.SeekStart)
		}
		if err == nil && st.file != nil {
			return st, run
		}
	}
	u.staging.discard(st)
	return nil, 0
}

// countRun counts the parts that follow one another in the file of the first. size is the
// number of bytes that they have.
func countRun(from *osdir.Dir, first slot, parts []driver.Part) (run int, size int64) {
	for _, part := range parts {
		at, ok := slotOf(part)
		if !ok || at.file != first.file || at.ino != first.ino || at.offset != size || !isPlaced(from, part.Number) {
			break
		}
		run, size = run+1, size+at.size
	}
	return run, size
}

// isPlaced reports whether the part in a slot is complete and not replaced.
func isPlaced(from *osdir.Dir, number int) bool {
	m, err := from.Stat(placedName(number))
	return err == nil && m.Kind == osdir.KindFile && isFree(from, partName(number))
}

// placedPart describes the part in a slot. ok is false if there is none.
func (u *uploads) placedPart(from *osdir.Dir, number int) (part driver.Part, ok bool) {
	text, ok := u.tree.readSmall(from.PathOf(placedName(number)))
	tag, _, found := strings.Cut(text, " ")
	if !ok || !found {
		return part, false
	}
	part = driver.Part{Number: number, Tag: tag, CRC32C: sumOf(text, tag)}
	at, ok := slotOf(part)
	if !ok {
		return part, false
	}
	part.Size = at.size
	return part, true
}

// openPart opens the file with a part, and returns where it is in there.
func openPart(from *osdir.Dir, part driver.Part) (opened *os.File, offset, size int64, err error) {
	base, at, shared := partName(part.Number), slot{}, false
	if at, shared = slotOf(part); shared {
		base = at.file
	}
	f, err := from.Open(base)
	if osdir.IsNotExist(err) {
		return nil, 0, 0, errPart(part)
	}
	if err != nil {
		return nil, 0, 0, failure(err)
	}
	opened = f.OSFile(base)
	switch {
	case shared && f.Meta.Ino == at.ino && isPlaced(from, part.Number):
		return opened, at.offset, at.size, nil
	case !shared && makeTag(f.Meta).revision() == part.Tag:
		return opened, 0, f.Meta.Size, nil
	}
	_ = opened.Close()
	return nil, 0, 0, errPart(part)
}
