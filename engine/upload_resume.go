package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/journal"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
)

// AbandonUpload aborts the upload that the journal at path records, whose key must have the prefix,
// and removes the file. A journal is the file from which a later call can resume an upload.
func (b bucket) AbandonUpload(ctx context.Context, path, prefix string) error {
	o := &operation{}
	if err := o.prepareWrite(b.engine, "AbandonUpload", ""); err != nil {
		return o.refuse(ctx, err)
	}
	j, err := journal.Open(path)
	if err != nil {
		return o.refuse(ctx, journalFailed(err))
	}
	defer j.Close()
	// The file records no upload, so only the file is removed.
	if !j.Begun() {
		return o.do(ctx, nil, func(context.Context) *storage.Error {
			return journalFailed(j.Forget())
		})
	}

	key := j.Header().Key
	mayAbandon := b.engine.ownsUpload(j) && strings.HasPrefix(key, prefix) && objectkey.WriteRule(key) == ""
	if !mayAbandon {
		// The error does not name the key, because a caller with a prefix must not see other keys.
		return o.refuse(ctx, invalid("path", "must name the file of an upload to this bucket"))
	}
	o.key = key
	return o.do(ctx, nil, func(ctx context.Context) *storage.Error {
		return abandonUpload(ctx, o, j)
	})
}

// refuse runs an operation that a check has refused with err. Only the hooks see it.
func (o *operation) refuse(ctx context.Context, err *storage.Error) error {
	return o.do(ctx, err, func(context.Context) *storage.Error { return nil })
}

// abandonUpload aborts an upload in the store, and then removes its journal.
func abandonUpload(ctx context.Context, o *operation, j *journal.Journal) *storage.Error {
	header := j.Header()
	upload := header.Upload
	if header.Layers != o.engine.layers() {
		// The journal was written under other layers. A layer of that time may have put a prefix and a
		// newline before the id, which the store does not know.
		upload = upload[strings.LastIndexByte(upload, '\n')+1:]
	}

	err := o.call(ctx, func(ctx context.Context) error {
		return o.engine.driver.AbortParts(ctx, header.Key, upload)
	})
	if err != nil {
		return err
	}
	return journalFailed(j.Forget())
}

// ownsUpload reports whether the upload in the journal j is to this bucket.
func (e *engine) ownsUpload(j *journal.Journal) bool {
	h := j.Header()
	return h.Provider == e.desc.Provider && h.Bucket == e.desc.Bucket && h.Location == e.desc.Location
}

// layers returns a text with the rules of the bucket's layers for parts. An upload can be resumed
// only if these rules are still the same. A layer may also put a prefix and a newline before an
// upload id. If the rules have changed, abandonUpload removes the prefix.
func (e *engine) layers() string {
	return fmt.Sprintf("%d %t", e.desc.PartUnit, e.desc.FixedParts)
}

// continuesLayers reports whether the upload in a journal was begun under layers with the same rules
// for parts.
func (e *engine) continuesLayers(h journal.Header) bool {
	if h.Layers == "" {
		// The first form of a journal does not have these rules. Only package encrypt had one then, and
		// put its prefix before the upload id.
		return strings.Contains(h.Upload, "\n") == (e.desc.PartUnit > 0)
	}
	return h.Layers == e.layers()
}

// journalFailed returns the error of a call whose journal has failed with err, or nil for nil.
func journalFailed(err error) *storage.Error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, journal.ErrNotJournal):
		return invalid("WithResume", "must name a file of its own: "+err.Error())
	case errors.Is(err, journal.ErrLater):
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  fmt.Errorf("the file of WithResume: %w", err),
			Hint: "update this program, or remove the file to begin again",
		}
	case errors.Is(err, journal.ErrInUse):
		return &storage.Error{
			Code: storage.Locked,
			Err:  err,
			Hint: "the same upload is in progress; give each upload a file of its own",
		}
	}
	return &storage.Error{Code: storage.Internal, Err: fmt.Errorf("the file of WithResume: %w", err)}
}

// storeResumable stores the body as storeBody does, and records the upload in a journal.
func (w *write) storeResumable(ctx context.Context) (*storage.Attrs, *storage.Error) {
	j, err := journal.Open(w.transfer.ResumeFile)
	if err != nil {
		return nil, journalFailed(err)
	}
	defer j.Close()

	w.journal = j
	if err := w.resume(ctx); err != nil {
		return nil, err
	}
	attrs, storeErr := w.storeBody(ctx)
	hasUnusedUpload := storeErr == nil && j.Begun()
	if hasUnusedUpload {
		// This call has needed no parts, so abandon the upload that an earlier call has begun. The object
		// is stored, so a failure does not matter.
		_ = abandonUpload(ctx, w.op, j)
	}
	return attrs, storeErr
}

// resume makes this call continue the upload in the journal if an earlier, identical call has begun
// it, and otherwise abandons that upload.
func (w *write) resume(ctx context.Context) *storage.Error {
	j := w.journal
	if !j.Begun() {
		return nil
	}
	h := j.Header()
	isOurs := w.op.engine.ownsUpload(j) && strings.HasPrefix(h.Key, optionState(&w.transfer).View)
	if !isOurs {
		// The upload is of another bucket or view, so this call must not abort it.
		j.Ignore()
		return nil
	}

	// An upload of the same call is resumed.
	if w.isRequest(h.Request) && w.op.engine.continuesLayers(h) {
		w.writeID = h.WriteID
		return nil
	}

	// An upload of another call is in the way, so abort it.
	err := abandonUpload(ctx, w.op, j)
	if err != nil && ctx.Err() != nil {
		return err
	}
	// If the abort failed, the store drops the parts some time later.
	j.Ignore()
	return nil
}

// isRequest reports whether a fingerprint in a journal identifies this call. The fingerprint may
// have the present form, or the form of an earlier version.
func (w *write) isRequest(fingerprint string) bool {
	return fingerprint == w.fingerprint() || fingerprint == w.formerFingerprint()
}

// fingerprint returns a hash that identifies the call. It covers everything that BeginParts sends to
// the store, and everything that decides how the body is divided.
//
// The JSON text must stay as it is, because an upload that an earlier version of this library has
// begun can only be resumed if the text is the same. A change needs a new form of the text, which
// isRequest compares, too.
func (w *write) fingerprint() string {
	controls := struct {
		storage.Controls
		Native []any // always null in the text, which has the native options in another place
	}{
		Controls: w.req.Controls,
	}
	return w.hashOf(w.properties(), controls)
}

// formerFingerprint returns the fingerprint in the first stored form. An earlier version of this
// library has written that form into its journals, and their uploads must stay resumable. The names in
// its JSON are the names of the Go fields.
func (w *write) formerFingerprint() string {
	// The fields must keep their names and order, because the JSON has both.
	type formerProperties struct {
		ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl string

		Metadata     map[string]string
		StorageClass string
	}
	type formerRetention struct {
		Mode  storage.RetentionMode
		Until time.Time
	}
	type formerControls struct {
		PublicRead bool
		Tags       map[string]string
		Retention  formerRetention
		LegalHold  bool
		Native     []any
	}

	// Native is never set, because hashOf adds the native options itself.
	c := &w.req.Controls
	controls := formerControls{
		PublicRead: c.PublicRead,
		Tags:       c.Tags,
		Retention:  formerRetention(c.Retention),
		LegalHold:  c.LegalHold,
	}
	return w.hashOf(formerProperties(w.properties()), controls)
}

// properties returns the properties of the call, without the names that the library adds.
func (w *write) properties() storage.Properties {
	p := w.req.Properties
	p.Metadata = w.metadata
	return p
}

// hashOf returns a hash of the call, with its properties and controls in the form of a fingerprint.
// A journal keeps the hash, so that a later call is known to be the same.
func (w *write) hashOf(properties, controls any) string {
	natives := make([]string, len(w.req.Native))
	for i, native := range w.req.Native {
		natives[i] = fingerprintOf(native)
	}

	// The names of the fields are part of the hashed text.
	call := struct {
		Key        string
		Properties any
		Controls   any
		Condition  storage.Condition
		Size       int64
		PartSize   int64
		Natives    []string
	}{
		Key:        w.op.key,
		Properties: properties,
		Controls:   controls,
		Condition:  w.req.Condition,
		Size:       w.src.size,
		PartSize:   w.transfer.PartSize,
		Natives:    natives,
	}

	// Marshal never fails, because all values are strings, numbers and valid times.
	text, _ := json.Marshal(call)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// fingerprintOf returns a text that identifies a native option. The text differs in each process if
// the option contains functions and does not implement driver.Fingerprinter.
func fingerprintOf(native any) string {
	if f, ok := native.(driver.Fingerprinter); ok {
		return fmt.Sprintf("%T ", native) + f.Fingerprint()
	}
	return fmt.Sprintf("%T %+v", native, native)
}

// journalHeader returns the header of a journal for the upload that m has begun.
func (w *write) journalHeader(m *multipart) journal.Header {
	desc := &w.op.engine.desc
	return journal.Header{
		Provider: desc.Provider,
		Bucket:   desc.Bucket,
		Location: desc.Location,
		Key:      w.op.key,
		Request:  w.fingerprint(),
		Upload:   m.id,
		WriteID:  w.writeID,
		PartSize: m.plan.first,
		Layers:   w.op.engine.layers(),
	}
}

// storedPart returns the part with this number if the journal shows that an earlier call has sent it
// with the same bytes, and otherwise false. If an earlier call has sent other bytes, and the store
// cannot replace the part, the error says that the upload is lost.
func (m *multipart) storedPart(
	number int, section *io.SectionReader, crc storage.CRC32C,
) (part driver.Part, found bool, err *storage.Error) {
	recorded, found := m.w.journal.Part(number)
	if !found {
		return driver.Part{}, false, nil
	}
	crc, err = hashSection(section, crc)
	if err != nil {
		return driver.Part{}, false, err
	}

	// Compare the bytes of this call with those of the earlier one.
	hasFixedParts := m.w.op.engine.desc.FixedParts
	sameBytes := recorded.Size == section.Size() && recorded.CRC32C == crc.Sum
	if !sameBytes {
		canReplace := !hasFixedParts && !m.sequential()
		if canReplace {
			return driver.Part{}, false, nil
		}
		reason := errors.New("the body has changed since its upload was begun")
		return driver.Part{}, false, errUploadLost(&storage.Error{Err: reason})
	}

	// With FixedParts, each part is also recorded before it is sent, still without a tag (see
	// recordBefore). If no record followed, the store may lack the part, so it is sent again.
	if hasFixedParts && recorded.Tag == "" {
		return driver.Part{}, false, nil
	}

	part = driver.Part{
		Number: number,
		Tag:    recorded.Tag,
		Size:   recorded.Size,
		CRC32C: crc,
	}
	return part, true, nil
}

// uploadMissing reports whether err may mean that the store no longer has the upload of an earlier
// call.
func (m *multipart) uploadMissing(err *storage.Error) bool {
	if !m.resumed {
		return false
	}
	return err.Code == storage.InvalidArgument || err.Code == storage.ObjectNotFound || mustRestart(err)
}

// reconcileResumed finds out whether an earlier call has completed the upload that this call could
// not complete. It returns the attributes of the object if so, and otherwise the error for the caller.
// err says that the upload is missing, or that the condition does not hold. wasCompleting is true if
// an earlier call had begun to complete the upload, even if it got no response.
func (m *multipart) reconcileResumed(
	ctx context.Context, err *storage.Error, wasCompleting bool, size int64,
) (*storage.Attrs, *storage.Error) {
	w := m.w
	// An object of the same size with the id of this write is the result of the upload.
	attrs, headErr := head(ctx, w.op, &driver.GetRequest{
		Key:       w.op.key,
		Length:    -1,
		Native:    w.req.Native,
		Auxiliary: true,
	})
	if headErr != nil && headErr.Code != storage.ObjectNotFound {
		// It is not known whether an earlier call has stored the object.
		headErr.Unknown = true
		headErr.Err = errors.Join(headErr.Err, err)
		return nil, headErr
	}
	exists := headErr == nil
	if exists && metadata.HoldsWriteID(attrs.Metadata, w.writeID) && attrs.Size == size {
		// An earlier call has stored the object.
		return attrs, nil
	}

	// The earlier call may have stored the object, and another write may have replaced or removed it.
	// attrs is nil if there is no object now.
	if wasCompleting && m.mayBeOverwritten(err, attrs) {
		return nil, errOverwritten(err)
	}
	if err.Code == storage.PreconditionFailed {
		// After IfAbsent, the text of the error says that the key exists.
		state(err).Absent = w.req.Condition.Absent
		return nil, err
	}
	return nil, errUploadLost(err)
}

// mayBeOverwritten reports whether an earlier completion may have stored the object, and another write
// may have followed it. err is the error of this completion, and attrs, which may be nil, has the
// attributes of the object that exists.
func (m *multipart) mayBeOverwritten(err *storage.Error, attrs *storage.Attrs) bool {
	w := m.w
	// The object that this upload was to replace is gone, so this upload may have replaced it.
	replaced := w.req.Condition.Revision
	if replaced != "" {
		stillExists := attrs != nil && attrs.Revision == replaced
		if !stillExists {
			return true
		}
	}

	// Without a write id, the object may be of this upload or of another write.
	hasWriteID := w.op.engine.has(storage.Metadata)
	return !hasWriteID && err.Code == storage.PreconditionFailed
}

// errUploadLost returns the error of an upload that must begin again, as the same call then does.
func errUploadLost(cause *storage.Error) *storage.Error {
	return &storage.Error{
		Code:      storage.Unavailable,
		Status:    http.StatusConflict,
		Retryable: true,
		Err:       cause.Err,
		RequestID: cause.RequestID,
		Hint:      "the upload that an earlier call has begun is of no more use: make the same call again, it starts over",
	}
}

// isResumable reports whether the same call may succeed later, so that an upload that failed with
// err is kept.
func isResumable(err *storage.Error) bool {
	switch err.Code {
	case storage.Canceled,
		storage.DeadlineExceeded,
		storage.RateLimited,
		storage.Unauthenticated,
		storage.PermissionDenied:
		return true
	case storage.Unavailable:
		return !mustRestart(err)
	case storage.BodyFailed:
		// If a copy could not read its source, the error of the source decides.
		var sourceErr *storage.Error
		return errors.As(err.Err, &sourceErr) && isResumable(sourceErr)
	}
	return false
}
