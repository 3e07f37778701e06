package storage

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
)

// WithResume keeps in the file at path how far an upload in parts has come. When
// it was cancelled, failed for a passing reason, or its process was killed, the
// same call goes on with it: parts that the store has and whose bytes, read and
// compared by CRC32C, are still the same are not sent again. The file is not the
// body: it is made when the first part is begun and removed when the upload has
// ended, so that there is none where the body went in one request, as on local and
// memory buckets without WithPartSize. Each upload needs a file of its own, in a
// directory that is there: one that something else has written is InvalidArgument,
// and not touched; while another call uses it, it is Locked.
//
// The same call is the same key, attributes, condition, size and WithPartSize. Of
// another call the upload that the file tells of is given up, removed from the
// store where it was begun in this bucket, and one begins anew; as it does where
// the store has meanwhile dropped the parts (Azure, GCS, local and memory after a
// week, S3 by a lifecycle rule). An upload that is not gone on with leaves its
// parts in the store: AbandonUpload removes them.
//
// A body that is read in place, such as a file, is best: of a stream what was
// sent before is read again, and where the parts are gone it is Unavailable, and
// the next call begins anew. A failure to write the file is Internal, and
// errors.As reaches the *fs.PathError; it ends the upload. Who can read the file
// can, with GCS, write to the upload: its mode is 0600.
func WithResume(path string) ResumeOption {
	return resumeOption(path)
}

type resumeOption string

func (o resumeOption) apply(s *settings) {
	if o == "" {
		s.fail("WithResume", "must name a file")
	}
	s.journal = &journal{path: string(o)} // of this call alone
}

func (o resumeOption) applyUpload(r *PutRequest) { o.apply(&r.set) }
func (o resumeOption) applyCopy(r *CopyRequest)  { o.apply(&r.set) }

// AbandonUpload gives up an upload that WithResume has kept in the file at path:
// its parts are removed from the store, and the file is. Where there is no such
// file nothing is to be done. An upload of another bucket, or of a key outside b's
// prefix, is InvalidArgument, and stays, as is a file that WithResume has not
// written; while a call uses the file, it is Locked. b must be a bucket of New's,
// else it is Unsupported.
func AbandonUpload(ctx context.Context, b Uploader, path string) error {
	const name = "AbandonUpload"
	own, ok := b.(*bucket)
	if !ok {
		return &Error{Code: Unsupported, Op: name, Hint: "the bucket that the upload was begun in knows how"}
	}
	o := &operation{}
	if e := o.prepare(own, mayUpload, name, ""); e != nil {
		return o.end(e)
	}
	j, err := openJournal(path)
	if err != nil {
		return o.end(journalFailed(err))
	}
	defer j.close()
	if j.Upload == "" {
		return o.end(journalFailed(j.forget()))
	}
	o.key = j.Key
	if !own.core.began(j) || !strings.HasPrefix(j.Key, own.prefix) || checkWriteKey(j.Key) != nil {
		return o.end(invalid("path", "must be of an upload that was begun in this bucket"))
	}
	ctx, e := o.begin(ctx)
	if e == nil {
		e = o.abandon(ctx, j)
	}
	return o.end(e)
}

// abandon removes an upload from the store, then its file.
func (o *operation) abandon(ctx context.Context, j *journal) *Error {
	e := o.call(ctx, func(ctx context.Context) error {
		return o.core.driver.AbortParts(ctx, j.Key, j.Upload)
	})
	if e != nil {
		return e
	}
	return journalFailed(j.forget())
}

// began reports whether the upload is one to this bucket.
func (c *core) began(j *journal) bool {
	return j.Provider == c.desc.Provider && j.Bucket == c.desc.Bucket && j.Location == c.desc.Location
}

func journalFailed(err error) *Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoJournal):
		return invalid("WithResume", "must name a file of its own: "+err.Error())
	case errors.Is(err, errJournalInUse):
		return &Error{Code: Locked, Err: err, Hint: "the same upload is under way already; two uploads need a file each"}
	}
	return &Error{Code: Internal, Err: fmt.Errorf("the file of WithResume: %w", err)}
}

// resume looks whether an earlier upload can be gone on with.
func (u *upload) resume(ctx context.Context) *Error {
	j := u.req.set.journal
	j.request = u.fingerprint()
	switch {
	case j.Upload == "":
	case !u.core.began(j), !strings.HasPrefix(j.Key, u.prefix):
		j.begun, j.parts = begun{}, nil
	case j.Request == j.request:
		u.writeID = j.WriteID
	default:
		if e := u.abandon(ctx, j); e != nil && ctx.Err() != nil {
			return e
		}
		j.begun, j.parts = begun{}, nil // what could not be removed, the store drops some day
	}
	return nil
}

// fingerprint is of all that BeginParts tells the store, and of what
// decides how the body is cut.
func (u *upload) fingerprint() string {
	r := &u.req
	natives := make([]string, len(r.Native))
	for i, n := range r.Native {
		natives[i] = fmt.Sprintf("%T %+v", n, n)
	}
	said, _ := json.Marshal(struct { // strings and numbers: never fails
		Key        string
		Properties Properties
		PublicRead bool
		Condition  Condition
		Size       int64
		PartSize   int64
		Natives    []string
	}{u.key, r.Properties, r.PublicRead, r.Condition, u.src.size, r.set.partSize, natives})
	sum := sha256.Sum256(said)
	return hex.EncodeToString(sum[:])
}

// storeResumed is storeBody that goes on with what an earlier call has begun.
func (u *upload) storeResumed(ctx context.Context) (*Attrs, *Error) {
	j, err := openJournal(u.req.set.journal.path)
	if err != nil {
		return nil, journalFailed(err)
	}
	defer j.close()
	u.req.set.journal = j
	if e := u.resume(ctx); e != nil {
		return nil, e
	}
	a, e := u.storeBody(ctx)
	if e == nil && j.Upload != "" { // begun earlier, and now the body went in one request
		_ = u.abandon(ctx, j) // nobody waits for it: the object is there
	}
	return a, e
}

// resumed reports whether parts of an earlier call may be there.
func (u *upload) resumed() bool { return u.req.set.journal != nil && u.req.set.journal.Upload != "" }

// open begins the upload, or goes on with an earlier one.
func (p *partUpload) open(ctx context.Context) *Error {
	if p.resumed() {
		p.name, p.goesOn = p.req.set.journal.Upload, true
		return nil
	}
	e := p.call(ctx, func(ctx context.Context) (err error) {
		p.name, err = p.core.driver.BeginParts(ctx, &p.req)
		return err
	})
	if e != nil {
		e.Unknown = false // what was begun is not the object
		e.absent = e.Code == PreconditionFailed && p.req.Condition.Absent
		return e
	}
	if p.req.set.journal == nil {
		return nil
	}
	err := p.req.set.journal.start(begun{
		Provider: p.core.desc.Provider, Bucket: p.core.desc.Bucket, Location: p.core.desc.Location, Key: p.key,
		Request: p.req.set.journal.request, Upload: p.name, WriteID: p.writeID, PartSize: p.firstPart(),
	})
	if e = journalFailed(err); e != nil {
		p.abort(ctx, e)
	}
	return e
}

// has reports whether the store has the part already, as it would be sent. Of an
// upload whose parts go one after the other, one that differs cannot be replaced.
func (p *partUpload) has(number int, section *io.SectionReader, crc *uint32) (part Part, found bool, e *Error) {
	part, found = p.req.set.journal.parts[number] // which nobody changes now
	if !found {
		return Part{}, false, nil
	}
	if crc == nil {
		sum, err := hashSection(section)
		if err != nil {
			return Part{}, false, bodyFailed(err)
		}
		crc = &sum
	}
	if part.Size == section.Size() && *part.CRC32C == *crc {
		return part, true, nil
	}
	if p.holds() {
		return Part{}, false, begunAnew(errors.New("the body has changed since its upload was begun"))
	}
	return Part{}, false, nil
}

// record keeps a part that the store has.
func (p *partUpload) record(part Part) *Error {
	if p.req.set.journal == nil {
		return nil
	}
	return journalFailed(p.req.set.journal.write(journalEntry{Part: &part}))
}

// completes tells the file that the object may be there from now on; it reports
// whether it could have been already.
func (p *partUpload) completes() (before bool, e *Error) {
	if p.req.set.journal == nil {
		return false, nil
	}
	before = p.req.set.journal.completing
	return before, journalFailed(p.req.set.journal.complete())
}

// gone reports whether e says that the store does not know an earlier call's
// upload any more.
func (p *partUpload) gone(e *Error) bool {
	return p.goesOn && e != nil && (e.Code == InvalidArgument || e.Code == ObjectNotFound || conflict(e))
}

// resolved is what the completion of an earlier call's upload has come to, where
// it failed because the upload is gone, or because of another object: perhaps it
// was completed before. One look tells by the write id. before says that it was
// tried.
func (p *partUpload) resolved(ctx context.Context, e *Error, before bool, size int64) (*Attrs, *Error) {
	found, look := p.look(ctx)
	switch {
	case look == nil && holdsWriteID(found.Metadata, p.writeID) && found.Size == size:
		return found, nil
	case look != nil && look.Code != ObjectNotFound: // nothing is known
		look.Unknown, look.Err = true, errors.Join(look.Err, e)
		return nil, look
	case before && p.req.Condition.Revision != "" && (found == nil || found.Revision != p.req.Condition.Revision):
		return nil, notOurs(e)
	case e.Code == PreconditionFailed:
		e.absent = p.req.Condition.Absent
		return nil, e
	}
	return nil, begunAnew(e)
}

func begunAnew(err error) *Error {
	return &Error{
		Code: Unavailable, Status: http.StatusConflict, Retryable: true, Err: err,
		Hint: "the upload that was begun earlier is of no use any more: the same call begins anew",
	}
}

// close ends the upload: completed, aborted, or kept for another call where what
// it failed with passes. Where the store has lost an earlier call's upload, the
// error has the core begin anew.
func (p *partUpload) close(ctx context.Context, e *Error) *Error {
	if p.gone(e) && !e.Unknown && !conflict(e) {
		e = begunAnew(e)
	}
	keeps := e != nil && (e.Unknown && e.Code != OutcomeUnknown || p.req.set.journal != nil && passes(e))
	if e != nil && !keeps && (!e.Unknown || p.req.set.journal != nil) {
		p.abort(ctx, e)
	}
	if p.req.set.journal != nil && !keeps {
		_ = p.req.set.journal.forget() // what stays, the next call finds out to be of no use
	}
	return e
}

// passes reports whether the same call may succeed another time.
func passes(e *Error) bool {
	switch e.Code {
	case Canceled, DeadlineExceeded, RateLimited, Unauthenticated, PermissionDenied:
		return true
	case Unavailable:
		return !conflict(e)
	case BodyFailed: // a copy's source
		var source *Error
		return errors.As(e.Err, &source) && passes(source)
	}
	return false
}
