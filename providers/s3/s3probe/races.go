package s3probe

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

const racers = 8 // concurrent calls in a race

// writeRaces and deleteRaces are the numbers of races in one check. A server that is not atomic
// tests the condition first, and changes the object a moment later. A race shows this fault only if
// another write arrives in that moment. A race of conditional writes often shows the fault, because
// any two of the writes may meet. A race of deletes has only one write, and therefore seldom shows
// the fault. A check of deletes therefore needs more races. Tests that are not about races lower
// both numbers.
var writeRaces, deleteRaces = 5, 50

// repeatRace returns a step that runs n rounds of a race, and stops after the first one whose verdict is
// not Enforced.
func repeatRace(n int, race func(round int) (Verdict, string)) step {
	return func() (Verdict, string) {
		for round := range n {
			if verdict, detail := race(round); verdict != Enforced {
				return verdict, detail
			}
		}
		return Enforced, ""
	}
}

// repeatOver returns a step that runs n races. It writes an object before each race, and passes its
// revision to the race.
func (p *probe) repeatOver(ctx context.Context, n int, key string, race func(revision string) (Verdict, string)) step {
	return repeatRace(n, func(int) (Verdict, string) {
		old, err := p.put(ctx, key, "old", storage.Condition{})
		if err != nil {
			return inconclusive("writing", err)
		}
		return race(old.Revision)
	})
}

// runRaces runs steps as runSteps does. If no step fails, the detail of the verdict says that n
// races do not prove it.
func runRaces(n int, steps ...step) (Verdict, string) {
	verdict, detail := runSteps(steps...)
	if verdict == Enforced {
		detail = fmt.Sprintf("not disproved by %d races", n)
	}
	return verdict, detail
}

// expectOneWinner makes concurrent calls whose conditions exclude one another. Exactly one must
// succeed, and the others must fail with PreconditionFailed.
func expectOneWinner(name string, call func(i int) error) (Verdict, string) {
	winners := 0
	var unexpected error
	for _, err := range running.All(racers, racers, call) {
		if err == nil {
			winners++
		} else if storage.CodeOf(err) != storage.PreconditionFailed {
			unexpected = err
		}
	}

	if winners > 1 {
		return Ignored, fmt.Sprintf("%d %s succeeded", winners, name)
	}
	if unexpected != nil {
		return inconclusive(name, unexpected)
	}
	if winners == 0 {
		return Inconclusive, "none of the " + name + " succeeded"
	}
	return Enforced, ""
}

// raceCompletions completes several uploads to one key at the same time, of which exactly one must
// succeed. If a completion fails with 409, the upload is made again, as Amazon demands.
func (p *probe) raceCompletions(ctx context.Context, name, key string, condition storage.Condition) (Verdict, string) {
	var complete [racers]func() (*storage.Attrs, error)
	for i := range complete {
		text := fmt.Sprint(i)
		var err error
		complete[i], err = p.prepareUpload(ctx, p.newPut(key, text, condition), textPart(text))
		if err != nil {
			return inconclusive(name, err)
		}
	}

	return expectOneWinner(name, func(i int) error {
		_, err := complete[i]()
		isConflict := storage.CodeOf(err) == storage.Unavailable // the code for a 409
		if !isConflict {
			return err
		}
		text := fmt.Sprint(i)
		return retry(ctx, func() error {
			_, err := p.upload(ctx, p.newPut(key, text, condition), text)
			return err
		})
	})
}

// raceCopies makes concurrent copies to one key, first with the condition Absent and then with the
// condition Revision. In each race, one copy must succeed.
func (p *probe) raceCopies(ctx context.Context) (Verdict, string) {
	source, err := p.put(ctx, "source", "new", storage.Condition{})
	if err != nil {
		return inconclusive("writing", err)
	}

	// Each race of creates has a key of its own, and each race of updates has a new revision of one key.
	raceCreates := func(round int) (Verdict, string) {
		key := fmt.Sprint("copy-create-race-", round)
		return expectOneWinner("concurrent creates", func(int) error {
			return p.copy(ctx, source.Revision, key, storage.Condition{Absent: true})
		})
	}
	const updatedKey = "copy-update-race"
	raceUpdates := func(revision string) (Verdict, string) {
		return expectOneWinner("concurrent updates of one revision", func(int) error {
			return p.copy(ctx, source.Revision, updatedKey, storage.Condition{Revision: revision})
		})
	}
	return runSteps(
		repeatRace(writeRaces, raceCreates),
		p.repeatOver(ctx, writeRaces, updatedKey, raceUpdates),
	)
}

// raceDeletes writes an object while concurrent calls delete its old revision, and expects the new
// object to remain.
func (p *probe) raceDeletes(ctx context.Context, key string, remove func() error) (Verdict, string) {
	const writer = 0 // the index of the call that writes; the others delete
	errs := running.All(racers, racers, func(i int) error {
		if i != writer {
			return remove()
		}
		_, err := p.put(ctx, key, "new", storage.Condition{})
		return err
	})
	for i, err := range errs {
		// A delete fails with PreconditionFailed if the write came first.
		isRefusedDelete := i != writer && storage.CodeOf(err) == storage.PreconditionFailed
		if err != nil && !isRefusedDelete {
			return inconclusive("a write concurrent with deletes", err)
		}
	}

	verdict, detail := p.verifyContent(ctx, key, "new")
	if verdict == Ignored {
		return Ignored, "a delete of an old revision removed a newer object"
	}
	return verdict, detail
}
