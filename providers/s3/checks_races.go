package s3

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

const (
	atOnceTries = 8 // of what is tried at once

	// A race proves a gap between looking and writing, and none that it did not
	// hit. Of writers, winners are counted, so that each try may show it; a removal
	// shows it only if a write falls into the gap.
	writeRaces = 5
)

// deleteRaces is fewer in the tests of what has nothing to do with races.
var deleteRaces = 50

// rounds is a step: a race that is run n times.
func rounds(n int, race func(round int) step) step {
	return func() (Verdict, string) {
		for round := range n {
			if verdict, detail := race(round)(); verdict != Enforced {
				return verdict, detail
			}
		}
		return Enforced, ""
	}
}

// raced adds to a verdict what a race cannot tell.
func raced(n int, verdict Verdict, detail string) (Verdict, string) {
	if verdict == Enforced {
		detail = fmt.Sprintf("not disproved by %d races", n)
	}
	return verdict, detail
}

// oneWins is a step: of several that try at once, whose conditions exclude one
// another, one must succeed. A server that looks, and writes then, lets others.
func oneWins(name string, try func(i int) error) step {
	return func() (Verdict, string) {
		winners := 0
		var unexpected error
		for _, err := range parallel.All(atOnceTries, atOnceTries, try) {
			switch storage.CodeOf(err) {
			case "":
				winners++
			case storage.PreconditionFailed:
			default:
				unexpected = err
			}
		}
		switch {
		case winners > 1:
			return Ignored, fmt.Sprintf("of %s, %d won", name, winners)
		case unexpected != nil:
			return unclear(name, unexpected)
		case winners == 0:
			return Unclear, "of " + name + ", none won"
		}
		return Enforced, ""
	}
}

// oneCompletes is a step: of several uploads that are complete but for the last
// request, which all send at once, one must succeed. One that met another on its
// way (409) is to be made anew, as Amazon has it.
func (p *probe) oneCompletes(ctx context.Context, name, key string, begin func() (storage.Condition, error)) step {
	return func() (Verdict, string) {
		condition, err := begin()
		if err != nil {
			return unclear("writing", err)
		}
		var complete [atOnceTries]func() (*storage.Attrs, error)
		for i := range complete {
			if complete[i], err = p.prepare(ctx, key, fmt.Sprint(i), condition, nil); err != nil {
				return unclear(name, err)
			}
		}
		return oneWins(name, func(i int) error {
			_, err := complete[i]()
			if storage.CodeOf(err) != storage.Unavailable {
				return err
			}
			return p.try(ctx, func() error {
				_, err := p.upload(ctx, key, fmt.Sprint(i), condition, nil)
				return err
			})
		})()
	}
}

func (p *probe) copiesRace(ctx context.Context) (Verdict, string) {
	source, err := p.put(ctx, "source", "new", storage.Condition{})
	if err != nil {
		return unclear("writing", err)
	}
	return rounds(writeRaces, func(round int) step {
		return func() (Verdict, string) {
			old, err := p.put(ctx, "copy-update-race", "old", storage.Condition{})
			if err != nil {
				return unclear("writing", err)
			}
			return inTurn(
				oneWins("several creators at once", func(int) error {
					return p.copyOf(ctx, source.Revision, fmt.Sprint("copy-create-race-", round), storage.Condition{Absent: true})
				}),
				oneWins("several updates of one revision at once", func(int) error {
					return p.copyOf(ctx, source.Revision, "copy-update-race", storage.Condition{Revision: old.Revision})
				}),
			)
		}
	})()
}

// outlives has the key written while several remove its old revision: whatever
// came first, what was written stays.
func (p *probe) outlives(ctx context.Context, key string, remove func() error) (Verdict, string) {
	errs := parallel.All(atOnceTries, atOnceTries, func(i int) error {
		if i > 0 {
			return remove()
		}
		_, err := p.put(ctx, key, "new", storage.Condition{})
		return err
	})
	for i, err := range errs {
		if err != nil && (i == 0 || storage.CodeOf(err) != storage.PreconditionFailed) {
			return unclear("a write among deletes of what was there", err)
		}
	}
	if verdict, detail := p.mustHold(ctx, key, "new"); verdict != Ignored {
		return verdict, detail
	}
	return Ignored, "deletes of an old revision removed what was written meanwhile"
}
