package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// Cancel gives back a ticket whose file was not finished. It removes what the client has sent, and
// what the ticket reserves in the allowance of the user. token is the Token of the ticket. user must
// be the user of [Service.Sign].
//
// Call it if a sender gives up. A ticket without a size reserves everything that the user may still
// store, until it is finished, canceled or expired. If a file was sent, its room becomes free only
// with a Sweep at least ten minutes later, because a call of Finish may be in progress. Such a
// call then fails with NotFound, except in two cases:
//
//   - A call of Finish that began before Cancel lasts until after that Sweep. It then succeeds, and
//     the next Sweep counts its file.
//   - The store may accept the file of the ticket more than once (see [Service.Finish]), and the client
//     sends it just before Cancel removes it. A call of Finish that began before Cancel may copy it.
//     The room may then be free before that call removes the copy.
//
// If the file was finished, Cancel fails with Completed, and the file stays. Without
// Config.Allowance, nothing is reserved. Finish and Cancel at the same time may then both succeed,
// and the file stays. Cancel may be called again.
func (s *Service) Cancel(ctx context.Context, token string, user User) error {
	t, err := s.openTicket(token, user)
	if err != nil {
		return publicError(err)
	}
	if err := t.cancel(ctx); err != nil {
		return publicFileError(err, t.ticket.Name)
	}
	return nil
}

// cancel does the work of Cancel, and returns errors as they are.
func (t *ticketOp) cancel(ctx context.Context) error {
	if t.service.counter == nil {
		// Without an allowance, nothing is reserved.
		if err := t.checkUnfinished(ctx); err != nil {
			return err
		}
		return t.removeSent(ctx)
	}

	// The entry in the ledger of the user is the reservation of the ticket.
	reservation, err := t.service.counter.book.Entry(ctx, t.user.ID, t.ticket.Random)
	if err != nil {
		return err
	}
	if !reservation.Exists {
		return t.checkUnfinished(ctx)
	}
	return t.cancelReserved(ctx, reservation.Entry)
}

// cancelReserved cancels a ticket that has this reservation. It frees the room only if the client has certainly
// sent no file, because a call of Finish may otherwise be copying the file.
func (t *ticketOp) cancelReserved(ctx context.Context, entry ledger.Entry) error {
	mayBeSent, err := t.mayBeSent(ctx, entry)
	if err != nil {
		return err
	}

	// Mark the reservation, so that no call can count the file. It keeps its room, and a repeated Cancel renews it, so
	// that no Sweep drops it while this call removes the file.
	isCanceled, err := t.cancelEntry(ctx, keepRoom)
	if err != nil {
		return err
	}
	if !isCanceled {
		// Another call has finished the ticket.
		return t.checkUnfinished(ctx)
	}

	// Remove the file, both what the client has sent and what a killed call of Finish has made.
	isWithdrawn, withdrawErr := t.withdraw(ctx)
	err = errors.Join(withdrawErr, t.removeUncounted(ctx))
	if err != nil {
		return err
	}
	if mayBeSent || isWithdrawn {
		// A call of Finish may have begun to copy the file, so a later Sweep frees the room.
		return nil
	}
	_, err = t.cancelEntry(ctx, freeRoom)
	return err
}

// These say whether a canceled reservation keeps its room for a while.
const (
	freeRoom = false
	keepRoom = true
)

// cancelEntry marks the reservation of the ticket as canceled, and returns false if there is none. With freeRoom, the
// reservation has no bytes any more.
func (t *ticketOp) cancelEntry(ctx context.Context, keep bool) (bool, error) {
	counter := t.service.counter
	return counter.book.Cancel(ctx, t.user.ID, t.ticket.Random, keep, counter.leaseUntil())
}

// mayBeSent reports whether the client may have sent the file of a ticket with this reservation. It returns false if
// the store accepts the file only once, because withdraw then finds out for certain.
func (t *ticketOp) mayBeSent(ctx context.Context, reservation ledger.Entry) (bool, error) {
	if reservation.Canceled {
		// Another call of Cancel has begun, so it is not known.
		return true, nil
	}
	if t.acceptsOnce() {
		return false, nil
	}
	return t.setup.bucket.Exists(ctx, t.pendingKey())
}

// withdraw removes what the client has sent, and reports whether there was anything. Where the store
// accepts the file only once, it also keeps the client from sending one later.
func (t *ticketOp) withdraw(ctx context.Context) (sent bool, err error) {
	if !t.acceptsOnce() {
		// Remove what was sent even if it is not known whether there is anything.
		sent, err = t.setup.bucket.Exists(ctx, t.pendingKey())
		return sent, errors.Join(err, t.removeSent(ctx))
	}

	// If the client has not sent the file, the empty object takes its place.
	err = t.overwriteSent(ctx, storage.IfAbsent())
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return false, err
	}

	// There was an object already.
	return true, t.removeSent(ctx)
}

// checkUnfinished fails with Completed if the ticket was finished.
func (t *ticketOp) checkUnfinished(ctx context.Context) error {
	for _, extension := range t.setup.judge.Extensions() {
		exists, err := t.setup.bucket.Exists(ctx, t.finalKey(extension))
		if err != nil {
			return err
		}
		if exists {
			return refusal.New(refusal.TokenField, refusal.CodeCompleted, "This upload is complete already.")
		}
	}
	return nil
}

// removeSent removes what the client has sent. Where the store accepts the file only once, it leaves
// an empty object, which keeps the signed URL from working again.
func (t *ticketOp) removeSent(ctx context.Context) error {
	if t.acceptsOnce() {
		return t.overwriteSent(ctx)
	}
	return t.setup.discard(ctx, t.pendingKey())
}

// removeUncounted removes the file of a canceled ticket and its record, which a killed call of Finish may
// have made without counting the file.
func (t *ticketOp) removeUncounted(ctx context.Context) error {
	s := t.service
	if s.setup.config.Records != nil {
		// The ID is in every key of the file, whatever the extension is.
		id := keypattern.IDIn(t.finalKey(""))
		err := s.files.removeRecorded(ctx, &File{ID: id, User: t.user})
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		return err
	}

	// The type is not known, so look for the key with each extension.
	for _, extension := range s.setup.judge.Extensions() {
		key := t.finalKey(extension)
		exists, err := s.setup.bucket.Exists(ctx, key)
		if err != nil {
			return err
		}
		if !exists {
			continue
		}
		if err := s.files.removeBytes(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
