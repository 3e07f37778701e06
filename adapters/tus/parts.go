package tus

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
)

const (
	// basePart is the usual size of a part, in bytes. A larger size is used if the upload would
	// have too many parts.
	basePart = 8 << 20
	// deferredParts is the factor by which parts are larger if the length of the upload is not
	// known yet.
	deferredParts = 8
)

// beginParts begins a multipart upload, with parts that are large enough for the whole upload. If the store
// does not permit such large parts, the error is handler.ErrMaxSizeExceeded.
func (u *upload) beginParts(ctx context.Context) error {
	parts, err := storage.BeginUpload(ctx, u.store.bucket, u.key(), optionsOf[storage.MultipartOption](u)...)
	if err != nil {
		return err
	}

	limits := parts.Limits()
	size := partSize(limits, u.state.PartSize, u.state.Info.Size)
	if limits.MaxSize > 0 && size > limits.MaxSize {
		return errors.Join(handler.ErrMaxSizeExceeded, parts.Abort(context.WithoutCancel(ctx)))
	}

	u.parts = parts
	u.state.Token = parts.Token()
	u.state.PartSize = size
	return nil
}

// partSize returns the size of the parts of an upload. It is at least minSize, and large enough for the
// whole upload to fit into the number of parts that the store permits.
func partSize(limits storage.PartLimits, minSize, uploadSize int64) int64 {
	part := max(minSize, limits.MinSize)
	if limits.MaxParts > 0 {
		part = max(part, divideUp(uploadSize, int64(limits.MaxParts)))
	}
	unit := max(limits.Unit, 1)
	return divideUp(part, unit) * unit
}

// divideUp returns the quotient of two positive numbers, rounded up, without overflow.
func divideUp(dividend, divisor int64) int64 { return (dividend-1)/divisor + 1 }

// openParts continues the multipart upload of u, or begins one if there is none yet.
func (u *upload) openParts(ctx context.Context) error {
	if u.parts != nil {
		return nil
	}
	if u.state.Token == "" {
		return u.beginParts(ctx)
	}

	parts, err := storage.ContinueUpload(ctx, u.store.bucket, u.state.Token)
	if err != nil {
		return err
	}
	u.parts = parts
	return nil
}

// WriteChunk stores the bytes of src, including those that it read before src failed. It stores full parts
// in the multipart upload, and the rest in the tail object.
//
// The state counts bytes only once they are stored, so a part with a given number always has the same
// bytes. The tail object may have more bytes than the state counts, but always begins with those.
func (u *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (written int64, err error) {
	if offset != u.state.Info.Offset {
		return 0, handler.ErrMismatchOffset
	}
	buffer, err := newBuffer()
	if err != nil {
		return 0, err
	}
	defer buffer.discard()
	// The next part begins with the bytes of the tail.
	if err := u.fillFromTail(ctx, buffer); err != nil {
		return 0, err
	}

	for {
		// Store the bytes that came before a failure, too, so that the client need not send them again.
		n, readErr := buffer.fill(src, u.state.PartSize)
		if n > 0 {
			if err := u.storeBuffer(ctx, buffer, n); err != nil {
				return written, errors.Join(readErr, fileLocked(err))
			}
			written += n
		}
		if readErr != nil {
			return written, readErr
		}

		// The last bytes of a known size complete the upload, and need no further read.
		hasSrcEnded := n == 0
		if hasSrcEnded || u.state.Done {
			return written, nil
		}
	}
}

// fileLocked replaces the error of a failed condition with one that makes the client ask for the offset.
// The condition fails because another server has continued the upload.
func fileLocked(err error) error {
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return handler.ErrFileLocked
	}
	return err
}

// fillFromTail reads the bytes after the last full part into b. The tail object has them, and may have more than the
// state counts.
func (u *upload) fillFromTail(ctx context.Context, b *buffer) error {
	return u.withTail(ctx, func(tail io.Reader) error {
		n, err := b.fill(tail, u.state.Tail)
		if err == nil && n != u.state.Tail {
			return io.ErrUnexpectedEOF
		}
		return err
	})
}

// storeBuffer stores the bytes in b, and saves the state: as the whole file if they are all of it, as a part if
// they complete one, and otherwise as the tail. The last added bytes in b are new; the others have come from the
// tail.
func (u *upload) storeBuffer(ctx context.Context, b *buffer, added int64) error {
	// The state that is saved counts the bytes. If they cannot be stored, the count is taken back.
	info := &u.state.Info
	info.Offset += added

	hasAllBytes := !info.SizeIsDeferred && info.Offset == info.Size
	hasParts := u.state.Token != ""
	isWholeFile := hasAllBytes && !hasParts
	isPart := hasAllBytes || b.n == u.state.PartSize // only the last part may be smaller
	var err error
	switch {
	case isWholeFile:
		_, err = u.store.bucket.Upload(ctx, u.key(), b.reader(), optionsOf[storage.UploadOption](u)...)
	case isPart:
		err = u.putPart(ctx, b.reader(), b.n)
	default:
		err = u.saveTail(ctx, b)
	}
	if err != nil {
		info.Offset -= added
		return err
	}

	if isWholeFile {
		return u.saveDone(ctx)
	}
	if isPart {
		// The next part has no bytes yet.
		return b.empty()
	}
	return nil
}

// saveTail stores the bytes in b as the tail, and saves the state with their number.
func (u *upload) saveTail(ctx context.Context, b *buffer) error {
	if err := u.putTail(ctx, b); err != nil {
		return err
	}
	u.state.Tail = b.n
	return u.save(ctx)
}

// tailPart is the name of a metadata value of the tail object. The tail object has the bytes after
// the last full part. The metadata value is the number of the next part, which will begin with the
// bytes of the tail object.
const tailPart = "part"

// putTail stores the bytes in b in the tail object, unless the object has them already. It never replaces
// a longer tail of the same part or a tail of a later part, which another server may have stored.
//
// Each upload has a condition, so that it replaces only a tail that putTail has examined. If the condition
// fails, putTail examines the new tail, and tries again if b has more.
func (u *upload) putTail(ctx context.Context, b *buffer) error {
	part := u.state.Parts + 1
	metadata := storage.WithMetadata(map[string]string{tailPart: strconv.Itoa(part)})

	// Replace only the tail that this upload knows, or store the first one.
	condition := storage.UploadOption(storage.IfAbsent())
	if u.state.TailRevision != "" {
		condition = storage.IfRevision(u.state.TailRevision)
	}

	for {
		stored, uploadErr := u.store.bucket.Upload(ctx, u.tailKey(), b.reader(), metadata, condition)
		if uploadErr == nil {
			u.state.TailRevision = stored.Revision
			return nil
		}
		if storage.CodeOf(uploadErr) != storage.PreconditionFailed {
			return uploadErr
		}

		// Another server has stored or removed the tail object, so find out what there is now.
		current, err := u.store.bucket.Attrs(ctx, u.tailKey())
		if storage.CodeOf(err) == storage.ObjectNotFound {
			if !u.isCurrent(ctx) {
				// The other server has finished the upload.
				return uploadErr
			}
			u.state.TailRevision = ""
			condition = storage.IfAbsent()
			continue
		}
		if err != nil {
			return err
		}

		currentPart := partOfTail(current)
		if currentPart > part {
			// The other server has stored this part already.
			return uploadErr
		}
		if currentPart == part && current.Size >= b.n {
			// The current tail begins with the bytes in b.
			u.state.TailRevision = current.Revision
			return nil
		}
		// The current tail is shorter, or that of an earlier part, so replace it.
		condition = storage.IfRevision(current.Revision)
	}
}

// partOfTail returns the number of the part that will begin with the bytes of a tail object. An object without
// a number is no tail of this package, and counts as that of an earlier part.
func partOfTail(tail *storage.Attrs) int {
	number, _ := strconv.Atoi(tail.Metadata[tailPart])
	return number
}

// isCurrent reports whether no other server has changed the state since this upload last read or
// saved it.
func (u *upload) isCurrent(ctx context.Context) bool {
	attrs, err := u.store.bucket.Attrs(ctx, u.stateKey())
	return err == nil && attrs.Revision == u.revision
}

// putPart stores the next part and saves the state. It fails with handler.ErrMaxSizeExceeded if the store
// permits no further part.
func (u *upload) putPart(ctx context.Context, body io.Reader, size int64) error {
	// If there is no token yet, openParts sets one in memory.
	wasTokenSaved := u.state.Token != ""
	if err := u.openParts(ctx); err != nil {
		return err
	}
	if maximum := u.parts.Limits().MaxParts; maximum > 0 && u.state.Parts >= maximum {
		return handler.ErrMaxSizeExceeded
	}

	mayBeSaved, err := u.savePart(ctx, body, size)
	if wasTokenSaved || mayBeSaved {
		return err
	}
	// No saved state has the token of this multipart upload, so nothing would ever abort it.
	return errors.Join(err, u.parts.Abort(context.WithoutCancel(ctx)))
}

// savePart stores the next part in the open multipart upload, and saves the state with it. mayBeSaved is
// false if the state was certainly not saved.
func (u *upload) savePart(ctx context.Context, body io.Reader, size int64) (mayBeSaved bool, err error) {
	if _, err := u.parts.PutPart(ctx, u.state.Parts+1, body, storage.WithSize(size)); err != nil {
		return false, err
	}
	u.state.Parts++
	u.state.Tail = 0
	err = u.save(ctx)
	return err == nil || errors.Is(err, storage.OutcomeUnknown), err
}

// A buffer holds the bytes of one part in a temporary file.
type buffer struct {
	file *os.File
	n    int64
}

// newBuffer returns an empty buffer, which the caller must discard.
func newBuffer() (*buffer, error) {
	f, err := os.CreateTemp("", "omnibucket-tus-")
	if err != nil {
		return nil, err
	}
	return &buffer{file: f}, nil
}

// discard removes the temporary file.
func (b *buffer) discard() {
	_ = b.file.Close()
	_ = os.Remove(b.file.Name())
}

// fill reads from r until b has size bytes or r ends, and returns the number of bytes read.
func (b *buffer) fill(r io.Reader, size int64) (int64, error) {
	n, err := io.Copy(b.file, io.LimitReader(r, size-b.n))
	b.n += n
	return n, err
}

// reader returns a reader of all bytes in b.
func (b *buffer) reader() *io.SectionReader { return io.NewSectionReader(b.file, 0, b.n) }

// empty removes all bytes, so that fill starts over.
func (b *buffer) empty() error {
	b.n = 0
	_, err := b.file.Seek(0, io.SeekStart)
	return err
}
