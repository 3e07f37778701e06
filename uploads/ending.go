package uploads

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// The end of an upload
//
// Every upload ends in the same steps, whichever way it began: Store, a form, a ticket, tus, the IETF
// draft of resumable uploads, the S3 routes or pieces. Each step is one write, and leads to the next
// stage. A process may be killed after any step. The next call, in any process, then continues at the
// first step that is missing, or Sweep removes what there is.
//
//	step                          stage afterwards   evidence
//	reserve room in the allowance stageOpen          a reservation in the ledger
//	make the object               stageStored        the object under its key
//	create the record             stageRecorded      the record
//	count the file                stageCounted       no reservation any more
//	call Config.Stored            stageNotified      PhaseDone, if the upload has a session
//
// Two rules keep the counts right:
//
//   - A reservation becomes a part of the count in one write. So a file is counted if and only if
//     its upload has no reservation any more. A removal subtracts only a file without a reservation.
//   - The record is created before the file is counted. So a file without a reservation has had its
//     record. If the record is missing, the file was removed, and nobody creates the record again.
//
// While a reservation lives, only a call of its upload ends it, because a call that was killed looks
// like a slow one. If the reservation is dead, a recount drops it and counts the file, and another
// recount follows later: see countFiles.
//
// Several calls may end the same upload at the same time. If a step finds something unexpected, the
// origin of the call decides how it continues: it says what the call knows of the other calls.

// An origin says what a call that ends an upload knows of other calls that end the same upload.
type origin int

const (
	// originShared means that other calls may do the same steps now, or have done them.
	originShared origin = iota
	// originOwn means that no other call can know the key of the file. So it is a file of Store or
	// of a form.
	originOwn
	// originFirst means that no earlier call has tried to make the object of the session. Later calls
	// may know the key. Also, no call can have counted the file if the ledger was lost.
	originFirst
	// originCounted means that an earlier call has counted the file.
	originCounted
)

// A stage is how far a call has brought the end of an upload.
type stage int

const (
	stageOpen stage = iota
	stageStored
	stageRecorded
	stageCounted
	stageNotified
)

// end creates the record of a stored file, counts the file, and calls Config.Stored. It notes each step in
// f.stage, so that rollBack can undo them if end fails.
func (s *files) end(ctx context.Context, f *File) error {
	f.stage = stageStored
	s.setup.identify(f)
	if err := s.record(ctx, f); err != nil {
		return refusal.StoreFailed(err)
	}
	if err := s.count(ctx, f); err != nil {
		return err
	}

	if s.setup.config.Stored != nil {
		// The error of Stored determines the response, as one of Authorize does.
		if err := s.setup.config.Stored(ctx, f); err != nil {
			return refusal.Unauthorized(err)
		}
	}
	f.stage = stageNotified
	return nil
}

// rollBack removes a stored file that the application does not know yet, and undoes the steps up to f.stage.
// It ignores errors, because Sweep later removes bytes without a record.
func (s *files) rollBack(ctx context.Context, f *File) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()

	if f.stage >= stageCounted {
		// The count includes the file, so there is no reservation to drop.
		_ = s.removeCounted(ctx, f)
		return
	}

	var err error
	if f.stage == stageRecorded {
		err = s.removeRecorded(ctx, f)
	} else {
		err = s.removeBytes(ctx, f.Key)
	}
	if err == nil {
		s.counter.releaseRoom(ctx, f.User.ID, f.reserved)
	}
}

// loadReservation reads the reservation of a file from the ledger of its user before the upload of the file is ended,
// and sets f.ledger. It returns the number of reserved bytes. If there is no reservation any more, an earlier call has
// counted the file, and loadReservation sets f.origin. If the upload was canceled, it fails.
func (s *files) loadReservation(ctx context.Context, f *File) (reservedBytes int64, err error) {
	if s.counter == nil {
		return 0, nil
	}
	reservation, err := s.counter.book.Entry(ctx, f.User.ID, f.reserved)
	if err != nil {
		return 0, err
	}
	if reservation.Entry.Canceled {
		return 0, canceledError()
	}

	// The method count finds out by this ID whether the ledger was lost.
	f.ledger = reservation.Ledger
	if !reservation.Exists {
		f.origin = originCounted
		return 0, nil
	}
	return reservation.Entry.Bytes, nil
}

// count counts a stored file for its user, in place of the room that the ledger reserves for it. It fails if the
// ticket of the file was canceled.
func (s *files) count(ctx context.Context, f *File) error {
	// Only files with a reservation are counted.
	if s.counter == nil || f.reserved == "" {
		return nil
	}

	// Replace the reservation by the size of the file.
	settlement, err := s.counter.book.Settle(ctx, f.User.ID, f.reserved, f.Size)
	if err != nil {
		return refusal.StoreFailed(err)
	}
	if settlement.Counted {
		f.stage = stageCounted
		return nil
	}
	if settlement.Canceled {
		s.rollBack(ctx, f)
		return canceledError()
	}

	// The reservation is gone, and this call has not counted the file. Whether another call has counted it depends
	// on the origin of the file.
	wasLedgerLost := f.ledger != "" && f.ledger != settlement.Ledger
	if wasLedgerLost {
		// Nobody can have counted the file in the new ledger.
		f.origin = originFirst
	}
	return s.countUnreserved(ctx, f)
}

// countUnreserved ends the counting of a stored file whose reservation has gone from the ledger. Depending on who
// may have dropped the reservation, it counts the file, leaves it as it is, or removes it and fails.
func (s *files) countUnreserved(ctx context.Context, f *File) error {
	switch f.origin {
	case originOwn:
		// Only a Sweep that took this call for dead can have dropped the reservation. It may have counted the
		// file, so the next Sweep must count again.
		_ = s.counter.book.Doubt(ctx, f.User.ID)
		s.rollBack(ctx, f)
		return tookTooLong(f)
	case originFirst:
		// The ledger was lost, or a Sweep has dropped the reservation. So the file may be uncounted. Add counts
		// it, and lets the next Sweep count again.
		if err := s.counter.book.Add(ctx, f.User.ID, f.Size); err != nil {
			return refusal.StoreFailed(err)
		}
		f.stage = stageCounted
		return nil
	case originShared:
		// Another call has probably counted the file since this call began. The next Sweep makes sure.
		_ = s.counter.book.Doubt(ctx, f.User.ID)
		return s.checkNotRemoved(ctx, f)
	}
	// For originCounted, an earlier call has counted the file.
	return nil
}

// checkNotRemoved fails if a file was removed after another call had counted it. It then removes the record,
// which this call has created again for bytes that do not exist any more.
func (s *files) checkNotRemoved(ctx context.Context, f *File) error {
	if s.setup.config.Records == nil {
		return nil
	}
	isRemoved, err := s.removeEmpty(ctx, f)
	if err != nil {
		return refusal.StoreFailed(err)
	}
	if isRemoved {
		return fileRemoved()
	}
	return nil
}

// canceledError returns the error for an upload whose ticket was canceled.
func canceledError() *refusal.Error {
	return refusal.New(refusal.TokenField, refusal.CodeNotFound, "This upload was canceled. Send the file again.")
}

// fileRemoved returns the error for an upload whose file has been removed.
func fileRemoved() *refusal.Error {
	return refusal.New(refusal.TokenField, refusal.CodeNotFound, "This upload was finished, and its file has been removed. Send the file again.")
}

// record creates the record of a file, or uses the one that an earlier call has created.
func (s *files) record(ctx context.Context, f *File) error {
	if s.setup.config.Records == nil {
		return nil
	}

	s.describe(f)
	if f.origin == originCounted {
		// A counted file has had its record. If the record is missing, the file was removed.
		return s.useRecord(ctx, f, fileRemoved())
	}
	if s.mayHaveExpired(f) {
		// A Sweep may have removed the record that an earlier call has created.
		return s.useRecord(ctx, f, tookTooLong(f))
	}

	// Create the record. If its outcome is unknown, the record may exist, too. If the file is then rolled back,
	// the record must be removed before the bytes.
	err := s.createRecord(ctx, f)
	if err == nil || errors.Is(err, storage.OutcomeUnknown) {
		f.stage = stageRecorded
	}
	if err != nil {
		return err
	}
	if s.isFresh(f) {
		return nil
	}

	// This call was slow, so a Sweep may have removed the bytes before the record was created.
	isRemoved, err := s.removeEmpty(ctx, f)
	if err != nil {
		return err
	}
	if isRemoved {
		return tookTooLong(f)
	}
	return nil
}

// mayHaveExpired reports whether a Sweep with a fast clock may have removed f as an expired file of an earlier
// call. No earlier call can have made a file of originOwn.
func (s *files) mayHaveExpired(f *File) bool {
	if f.lifetime <= 0 || f.origin == originOwn {
		return false
	}
	clockError := f.lifetime / 8
	return s.age(f) >= f.lifetime-clockError
}

// isFresh reports whether no Sweep can have removed the bytes of f yet. Sweep removes bytes without a record after
// Config.Grace, and any file after its lifetime, so half of that is safe even if the clocks differ.
func (s *files) isFresh(f *File) bool {
	safeAge := s.setup.config.Grace / 2
	if f.lifetime > 0 {
		safeAge = min(safeAge, f.lifetime/2)
	}
	return s.age(f) < safeAge
}

// age returns the time since the ID of f was made. No object under the key of f is older.
func (s *files) age(f *File) time.Duration { return s.setup.config.Now().Sub(timeid.Time(f.ID)) }

// describe sets the fields of f that its record takes from the stored object.
func (s *files) describe(f *File) {
	f.Size = f.Attrs.Size
	f.CRC32C = f.Attrs.CRC32C
	if !storage.Supports(s.setup.bucket, storage.ContentProperties) {
		// The bucket keeps no type, so the extension of the key decides.
		f.ContentType = cmp.Or(headertext.MediaTypeByExtension(path.Ext(f.Key)), f.ContentType)
	}
	f.ContentType = cmp.Or(f.ContentType, f.Attrs.ContentType, session.PendingType)
}

// createRecord creates the record of f, or takes Expires from the record that an earlier attempt has created. If
// the record may exist after a failure, the error wraps storage.OutcomeUnknown.
func (s *files) createRecord(ctx context.Context, f *File) error {
	records := s.setup.config.Records
	createErr := records.Create(ctx, f)
	alreadyExists := storage.CodeOf(createErr) == storage.PreconditionFailed
	if !alreadyExists && !errors.Is(createErr, storage.OutcomeUnknown) {
		return createErr
	}

	// An earlier attempt or this one may have created the record, so read it.
	current, readErr := records.Record(ctx, f.ID)
	if readErr == nil {
		// A transaction may have made the file permanent.
		f.Expires = current.Expires
		return nil
	}
	if !alreadyExists {
		// It stays unknown whether Create has created the record.
		return createErr
	}
	if storage.CodeOf(readErr) == storage.ObjectNotFound {
		// The record was created and has been removed since.
		return nil
	}
	// The record exists, and this upload may have created it. Unknown makes the caller remove it, too, if it
	// rolls the file back.
	return &storage.Error{Code: storage.Unavailable, Unknown: true, Err: readErr}
}

// useRecord uses the record that an earlier call has created for the file, and fails with notFound if there is
// none. It creates no record, because a file that had one was removed.
func (s *files) useRecord(ctx context.Context, f *File, notFound *refusal.Error) error {
	current, err := s.setup.config.Records.Record(ctx, f.ID)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return notFound
	}
	if err != nil {
		return err
	}
	f.Expires = current.Expires
	f.stage = stageRecorded
	return nil
}

// tookTooLong returns the error for a file that may have been removed while it was uploaded.
func tookTooLong(f *File) *refusal.Error {
	return &refusal.Error{
		Field:   refusal.FileField,
		Code:    refusal.CodeStoreFailed,
		Status:  http.StatusServiceUnavailable,
		Message: "The upload took too long. Try again.",
		Err: &storage.Error{
			Code: storage.Unavailable,
			Key:  f.Key,
			Hint: "make Config.Grace, Config.Lifetime and Target.Lifetime longer than the longest upload",
		},
	}
}
