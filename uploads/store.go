package uploads

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/rules"
)

// An Upload is a file for [Service.Store], with what is known about it.
type Upload struct {
	Body io.Reader // never closed
	// Name is the sender's name for the file. [File].Name has the form of it that CleanName returns.
	// The extension of Name is used for {ext} in a key if it fits the content.
	Name string
	// ClaimedType is the type that the sender claims. It does not change the decision, but if it is
	// wrong, the error message says so.
	ClaimedType string
	// Size is the length that the sender announces, in bytes. If the file has another length, Store
	// fails with WrongSize. If Size is 0 or less, the length is not known.
	Size int64
	User User
	// Metadata is passed to Config.Inspect and Config.Stored. It may be changed until Body has been
	// read completely, for example by fields of a form that follow the file.
	Metadata map[string]string
	// Target says how the file is stored, and must have no Key. If Target is nil, Config.Key and
	// Config.Rules decide. If Target is set and Rules do not look at the content, {ext} in
	// Config.Key becomes the extension of Name.
	Target *Target
}

// Store stores one file, without overwriting any object. As soon as the file breaks a rule, Store
// stops reading, stores nothing, and returns an *Error that says why. If Config.Stored fails with
// an error that wraps [storage.OutcomeUnknown], the file stays, because the application may have
// recorded it. After any other error of Config.Stored, Store removes the file.
func (s *Service) Store(ctx context.Context, u Upload) (*File, error) {
	lease := s.counter.newLease(u.User.ID)
	defer lease.end()
	f, err := s.store(ctx, u, nil, lease)
	if err != nil {
		return nil, publicFileError(err, filename.Clean(u.Name))
	}

	// Record and count the file, and pass it to Config.Stored.
	err = s.files.end(ctx, f)
	if err == nil {
		return f, nil
	}
	mayBeRecorded := errors.Is(err, storage.OutcomeUnknown)
	if !mayBeRecorded {
		s.files.rollBack(ctx, f)
	}
	return nil, publicFileError(err, filename.Clean(u.Name))
}

// storePart stores one file of a form. An error about the file names the field of the form in which it came.
func (s *Service) storePart(ctx context.Context, part *multipart.Part, user User, f *form) (*File, error) {
	u := Upload{
		Body:        part,
		Name:        part.FileName(),
		ClaimedType: part.Header.Get("Content-Type"),
		User:        user,
	}
	stored, err := s.store(ctx, u, f, f.lease)
	if err == nil {
		return stored, nil
	}

	refused := refusal.StoreFailed(err).WithName(filename.Clean(u.Name))
	field := part.FormName()
	if field != "" && refused.Field == refusal.FileField {
		refused.Field = filename.Clean(field)
	}
	return nil, refused
}

// store stores a file without ending its upload. Until that ends, the lease renews the reservation of the file.
// The form is the one that the file comes from, or nil.
func (s *Service) store(ctx context.Context, u Upload, form *form, lease *lease) (*File, error) {
	t, err := s.newStoreOp(u)
	if err != nil {
		return nil, err
	}
	t.form = form
	t.lease = lease

	// Check the first bytes, and store the file.
	if err := t.judge(ctx); err != nil {
		return nil, err
	}
	attrs, err := t.reserveAndStore(ctx)
	if err != nil {
		return nil, err
	}

	// Describe the file.
	f := t.file()
	f.reserved = t.reserved
	f, err = s.setup.result(ctx, f, attrs, t.verdict)
	if err == nil {
		return f, nil
	}

	// The caller gets no file, so remove it and free its room.
	discardErr := s.setup.discard(ctx, attrs.Key)
	if discardErr == nil {
		s.counter.releaseRoom(ctx, u.User.ID, t.reserved)
	}
	return nil, err
}

// A storeOp stores one file.
type storeOp struct {
	setup     *setup
	service   *Service
	upload    Upload
	form      *form  // form that has the file; nil if there is no form
	lease     *lease // renews the reservation of the file
	bounds    bounds // limits of the length of the file
	startTime time.Time
	verdict   *rules.Verdict // what the first bytes show of the file; set by the method judge
	// reserved is the name of the file's reservation in the ledger of its user.
	reserved string
}

// newStoreOp returns the operation that stores an upload, after it has checked the fields and the claimed length.
func (s *Service) newStoreOp(u Upload) (*storeOp, error) {
	if err := s.setup.checkUser(u.User); err != nil {
		return nil, err
	}
	if u.Body == nil {
		return nil, refusal.NoFile()
	}
	target, err := s.setup.checkTarget(u.Target, u.Name)
	if err != nil {
		return nil, err
	}
	u.Target = target

	t := &storeOp{
		setup:     s.setup,
		service:   s,
		upload:    u,
		bounds:    newBounds(s.setup.judge, u.Size),
		startTime: s.setup.config.Now(),
	}
	if target != nil {
		t.bounds.most = target.MaxSize
	}
	if err := t.bounds.checkClaim(); err != nil {
		return nil, err
	}
	return t, nil
}

// judge reads the beginning of the file, and checks it against the rules.
func (t *storeOp) judge(ctx context.Context) error {
	verdict, err := t.setup.judge.Inspect(ctx, t.upload.Body, t.upload.ClaimedType)
	if refused := refusal.ByRules(err); refused != nil {
		return refused
	}
	if err != nil {
		return refusal.ReadFailed(ctx, err)
	}
	t.verdict = verdict
	if verdict.Whole {
		// Head is the whole file, so its length is known already.
		return t.bounds.check(int64(len(verdict.Head)))
	}
	return nil
}

// reserveAndStore reserves room for the file, and stores it under a new key. A failure releases the room,
// unless the object may exist.
func (t *storeOp) reserveAndStore(ctx context.Context) (*storage.Attrs, error) {
	random, err := randomKey(t.setup.config.Random)
	if err != nil {
		return nil, err
	}
	target := t.target(random)
	if err := t.reserve(ctx, random, target.Key); err != nil {
		return nil, err
	}
	attrs, err := t.storeContent(ctx, target)
	if err == nil {
		return attrs, nil
	}

	// An object that may exist keeps its room.
	mayExist := errors.Is(err, storage.OutcomeUnknown)
	if !mayExist {
		t.service.counter.releaseRoom(ctx, t.upload.User.ID, t.reserved)
	}
	if inspectErr, ok := err.(inspectError); ok {
		return nil, refusal.Unauthorized(inspectErr.error)
	}
	return nil, err
}

// reserve reserves room for the file in the allowance of its user. A file of unknown size may then
// have no more bytes than were reserved.
func (t *storeOp) reserve(ctx context.Context, random keypattern.Random, key string) error {
	s := t.service
	if s.counter == nil {
		return nil
	}

	size := int64(-1) // not known
	if t.bounds.claimed > 0 {
		size = t.bounds.claimed
	}
	if t.verdict.Whole {
		// The first bytes are the whole file.
		size = int64(len(t.verdict.Head))
	}
	request := roomRequest{
		user:    t.upload.User,
		name:    random.String(),
		size:    size,
		maxSize: t.bounds.limit(),
		entry:   ledger.Entry{Files: 1, Stem: s.setup.pattern.Stem(key), Until: s.counter.leaseUntil()},
	}

	// The files of a form together are no longer than the form.
	if t.form != nil {
		request.stored = t.form.stored
		if t.form.length > 0 {
			request.maxSize = min(request.maxSize, t.form.length)
		}
	}

	// Reserve the room, and let the lease renew the reservation.
	granted, err := s.counter.reserve(ctx, request)
	if err != nil {
		return err
	}
	t.reserved = random.String()
	t.lease.add(ctx, t.reserved)
	if size < 0 && granted > 0 {
		t.bounds.room = granted
	}
	return nil
}

// target decides on the key and the attributes of the file. The caller's Target, if there is one,
// has precedence over the defaults.
func (t *storeOp) target(random keypattern.Random) session.Target {
	s := t.service
	target := t.upload.Target
	extension := t.verdict.Extension
	if target != nil && !s.setup.judge.LooksAtContent() {
		extension = keypattern.ExtensionOf(t.upload.Name)
	}

	key := s.setup.pattern.Key(t.upload.User.values(), t.startTime, random, extension)
	base := s.setup.target(key, t.verdict)
	if target == nil {
		return base
	}
	return s.setup.mergeTarget(session.Target(*target), base)
}

// storeContent stores the file at target. With Config.Inspect, it stores the content under
// Config.Prefix first, and copies it to target only if the inspection accepts it.
func (t *storeOp) storeContent(ctx context.Context, target session.Target) (*storage.Attrs, error) {
	s := t.service
	if s.setup.config.Inspect == nil {
		return t.put(ctx, target)
	}

	// Store the content under a random key.
	random, err := randomKey(s.setup.config.Random)
	if err != nil {
		return nil, err
	}
	staged := session.Target{Key: s.setup.config.Prefix + random.String(), Overwrite: !s.setup.guarded}
	if target.ContentType != "" {
		// If it is "", the store must detect the type.
		staged.ContentType = session.PendingType
	}

	attrs, err := t.put(ctx, staged)
	if err != nil {
		return nil, err
	}
	defer func() {
		// If this fails, Sweep removes the content later.
		_ = s.setup.discard(ctx, staged.Key)
	}()

	// Let Config.Inspect decide about the file.
	f := t.file()
	f.Width = t.verdict.Width
	f.Height = t.verdict.Height
	if err := s.setup.inspect(ctx, f, attrs, &target); err != nil {
		return nil, err
	}

	// Copy the content to its key.
	opts := session.OptionsFor[storage.CopyOption](target)
	return storage.Copy(ctx, s.setup.bucket, target.Key, s.setup.bucket, staged.Key, opts...)
}

// file returns a File with everything that is known before the content is stored.
func (t *storeOp) file() *File {
	u := &t.upload
	f := &File{
		User:        u.User,
		Name:        filename.Clean(u.Name),
		ClaimedName: u.Name,
		ClaimedType: u.ClaimedType,
		Metadata:    u.Metadata,
		origin:      originOwn,
	}
	if u.Target != nil {
		f.lifetime = u.Target.Lifetime
	}
	return f
}

// put uploads the body to target, and checks its length on the way.
func (t *storeOp) put(ctx context.Context, target session.Target) (*storage.Attrs, error) {
	// The first bytes, which were judged, may be the whole file.
	opts := session.OptionsFor[storage.UploadOption](target)
	if t.verdict.Whole {
		return t.setup.bucket.Upload(ctx, target.Key, bytes.NewReader(t.verdict.Head), opts...)
	}
	if t.bounds.claimed > 0 {
		opts = append(opts, storage.WithSize(t.bounds.claimed))
	}

	// Send the first bytes and the rest, and check the length on the way.
	content := &body{
		src:    io.MultiReader(bytes.NewReader(t.verdict.Head), t.upload.Body),
		bounds: t.bounds,
		limit:  t.bounds.limit(),
	}
	attrs, err := t.setup.bucket.Upload(ctx, target.Key, content, opts...)
	if err == nil {
		return attrs, nil
	}

	// The body has stopped the upload itself.
	if content.refused != nil {
		return nil, content.refused
	}
	if storage.CodeOf(err) == storage.BodyFailed {
		// The store noticed the wrong length first, because of WithSize.
		return nil, refusal.WrongSize()
	}
	return nil, err
}

// A form holds the state of a request that stores one or more files.
type form struct {
	length int64   // bytes of the whole body; -1 means that the length is not known
	stored []*File // files that are stored, but not yet counted in the allowance
	lease  *lease  // keeps the reservations of the files
}
