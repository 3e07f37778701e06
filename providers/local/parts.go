package local

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// BeginParts makes a directory for the parts. The directory stays until the upload is
// completed or aborted, or until a sweep discards it as abandoned. At most once an hour,
// BeginParts itself sweeps.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(s)
	if err := s.settings.checkControls(ctx, &r.Controls); err != nil {
		return "", err
	}
	if isSweepDue(
		&s.uploads.lastSweep, s.tree.clock.now(),
	) { // a bucket may stay open for long, and opening a bucket of a service does not sweep
		s.uploads.sweepUploads(ctx)
	}
	st, err := s.uploads.stageText(ctx, r.Key)
	if err != nil {
		return "", err
	}
	defer s.staging.discard(st)
	if err := s.staging.finish(st); err != nil {
		return "", err
	}
	upload := randomName()
	if err := s.tree.mkdirs(uploadPath(upload)); err != nil {
		return "", err
	}
	to, err := s.tree.open(uploadPath(upload))
	if err != nil {
		return "", s.tree.pathLostError(err)
	}
	defer s.tree.closeDir(to)
	return upload, s.uploads.moveTo(ctx, to, uploadKeyName, st)
}

// stageText makes a staged file with this content and the current time.
func (u *uploads) stageText(ctx context.Context, content string) (*stagedFile, error) {
	st, err := u.staging.stage(ctx)
	if err != nil {
		return nil, err
	}
	if err = u.staging.fill(ctx, st.file, strings.NewReader(content)); err == nil {
		err = u.tree.stagedFileError(st.file.SetTime(st.dir, st.name, u.tree.clock.now()))
	}
	if err != nil {
		u.staging.discard(st)
		return nil, err
	}
	return st, nil
}

// finish is like seal, for a file that needs no attributes.
func (s *staging) finish(st *stagedFile) (err error) {
	if st.meta, err = st.file.Stat(); err != nil {
		return failure(err)
	}
	return s.flush(st)
}

func (u *uploads) moveTo(ctx context.Context, to *osdir.Dir, name string, st *stagedFile) error {
	err := u.staging.place(ctx, to, name, st)
	if err == errAgain { // the upload was aborted meanwhile
		return u.tree.uploadEndedError()
	}
	if err == nil {
		err = u.tree.flush(to)
	}
	return failure(err)
}

// PutPart stores a part, and atomically replaces an earlier one with that number. The tag
// of the part identifies its file or slot.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	turn, err := bodies.takeOrPass(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer bodies.endIf(turn)
	s, err := d.acquireNow(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer d.releaseNow(s)
	if r.Number < 1 || r.Number > maxParts {
		return driver.Part{}, argument.Invalid("part number", "must be from 1 to 10,000", "")
	}
	to, err := s.uploads.upload(ctx, r.Key, r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	defer to.close()
	mode, err := s.uploads.privateMode(r.Key)
	if err != nil {
		return driver.Part{}, err
	}
	if part, done, err := s.uploads.putInSlot(ctx, to.dir, r, mode); done || err != nil {
		return part, err
	}
	return s.uploads.putInFile(ctx, to.dir, r, mode)
}

// putInFile stores a part in a file of its own, with the given mode unless that is 0.
func (u *uploads) putInFile(
	ctx context.Context, to *osdir.Dir, r *driver.PartRequest, mode uint32,
) (driver.Part, error) {
	st, err := u.staging.stage(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer u.staging.discard(st)
	if mode != 0 {
		if err := st.file.SetMode(mode); err != nil {
			return driver.Part{}, failure(err)
		}
	}
	if err := u.staging.fill(ctx, st.file, r.Body); err != nil {
		return driver.Part{}, err
	}
	if err := st.file.SetTime(st.dir, st.name, u.tree.clock.next()); err != nil {
		return driver.Part{}, u.tree.stagedFileError(err)
	}
	if err := u.staging.finish(st); err != nil {
		return driver.Part{}, err
	}
	if err := u.moveTo(ctx, to, partName(r.Number), st); err != nil {
		return driver.Part{}, err
	}
	part := driver.Part{Number: r.Number, Tag: makeTag(st.meta).revision(), Size: st.meta.Size, CRC32C: r.CRC32C}
	if part.CRC32C.Known { // if that fails, the part will be read when it is listed
		u.addFile(ctx, to, sumName(part.Number), sumRecord(part.Tag, part.CRC32C), false)
	}
	return part, nil
}

// CompleteParts makes one file of the parts and places it as Put does. If that fails, the
// parts stay, for another attempt or AbortParts.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	if err := s.settings.checkControls(ctx, &r.Put.Controls); err != nil {
		return nil, err
	}
	out, err := s.uploads.join(ctx, r)
	if err != nil {
		return nil, err
	}
	_ = s.uploads.removeUpload(ctx, r.Upload) // a sweep removes the rest
	return out, nil
}

// privateMode returns the mode of a part that will replace an object, so that it is as private as
// that object. If there is no object, it returns 0.
func (u *uploads) privateMode(key string) (uint32, error) {
	l, ok := u.tree.names().locate(key)
	if !ok {
		return 0, nil
	}
	plain, err := u.tree.open(l.dir)
	if err != nil {
		return 0, unlessAbsent(err)
	}
	defer u.tree.closeDir(plain)
	at := u.objects.candidates(l, plain)
	defer at.close()
	old, err := at.find()
	if err != nil || !old.found() || old.meta.Mode == 0 {
		return 0, err
	}
	mode := old.meta.Mode | 0o600 // CompleteParts must be able to read the file
	if old.meta.UID != uint32(os.Geteuid()) {
		mode &= 0o600 // another user chose the mode
	}
	return mode, nil
}

func (u *uploads) join(ctx context.Context, r *driver.CompleteRequest) (a *storage.Attrs, err error) {
	from, err := u.upload(ctx, r.Put.Key, r.Upload)
	if err != nil {
		return nil, err
	}
	defer from.close()
	defer func() {
		if err == nil {
			return
		}
		if _, ended := from.dir.Stat(uploadKeyName); osdir.IsNoFile(ended) {
			_ = u.removeUpload(ctx, r.Upload) // the call that ended the upload could not remove the files of this call
		}
	}()
	st, run := u.sharedRun(from.dir, r.Parts)
	if st == nil {
		if st, err = u.staging.stage(ctx); err != nil {
			return nil, err
		}
	}
	defer u.staging.discard(st)
	for _, part := range r.Parts[run:] {
		if err := st.appendPart(ctx, from.dir, part); err != nil {
			return nil, err
		}
	}
	st.attrs, st.upload = newAttrs(r.Put.Properties, &r.Put.Controls, r.Put.CRC32C), from.dir
	return u.objects.save(ctx, r.Put.Key, st, r.Put.Condition)
}

func (st *stagedFile) appendPart(ctx context.Context, from *osdir.Dir, part driver.Part) error {
	file, offset, size, err := openPart(from, part)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return st.append(ctx, file, offset, size)
}

func errPart(part driver.Part) error {
	return argument.Invalid("part "+strconv.Itoa(part.Number), "must exist and not be replaced", "")
}

// AbortParts removes the upload and its parts.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	u, err := s.uploads.upload(ctx, key, upload)
	if errors.Is(err, errUpload) {
		return nil
	}
	if err != nil {
		return err
	}
	u.close()
	if err := s.uploads.removeUpload(ctx, upload); err != nil {
		return err
	}
	return s.tree.syncDir(uploadsPath)
}

var _ io.ReaderFrom = (*os.File)(nil) // append relies on it to copy in the kernel
