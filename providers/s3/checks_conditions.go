package s3

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
)

// Each check of a condition sends one that does not hold, which must be refused
// and change nothing, one that holds, which must go through, and several at once
// of which one may: a condition that is not atomic guards nothing. Support is by
// operation: a server that heeds a header on one may drop it on another.

func checkCreate(ctx context.Context, p *probe) (Verdict, string) {
	create := func(text string) error {
		_, err := p.put(ctx, "create", text, storage.Condition{Absent: true})
		return err
	}
	verdict, detail := inTurn(
		must("the first create", func() error { return create("old") }),
		refuses("the second create", func() error { return create("new") }),
		p.holds(ctx, "create", "old"),
		rounds(writeRaces, func(round int) step {
			return oneWins("several creators at once", func(i int) error {
				_, err := p.put(ctx, fmt.Sprint("create-race-", round), fmt.Sprint(i), storage.Condition{Absent: true})
				return err
			})
		}),
	)
	return raced(writeRaces, verdict, detail)
}

// revisions writes two keys and tells the first's revision and another one.
func (p *probe) revisions(ctx context.Context, key string) (right, wrong string, err error) {
	first, err := p.put(ctx, key, "old", storage.Condition{})
	if err != nil {
		return "", "", err
	}
	second, err := p.put(ctx, key+"-other", "of another content", storage.Condition{})
	if err != nil {
		return "", "", err
	}
	return first.Revision, second.Revision, nil
}

func checkUpdate(ctx context.Context, p *probe) (Verdict, string) {
	right, wrong, err := p.revisions(ctx, "update")
	if err != nil {
		return unclear("writing", err)
	}
	update := func(key, text, revision string) func() error {
		return func() error {
			_, err := p.put(ctx, key, text, storage.Condition{Revision: revision})
			return err
		}
	}
	verdict, detail := inTurn(
		refuses("an update of another revision", update("update", "new", wrong)),
		p.holds(ctx, "update", "old"),
		refuses("an update of nothing", update("update-missing", "new", right)),
		p.lacks(ctx, "update-missing"),
		must("an update of this revision", update("update", "new", right)),
		p.holds(ctx, "update", "new"),
		rounds(writeRaces, func(int) step {
			return func() (Verdict, string) {
				old, err := p.put(ctx, "update-race", "old", storage.Condition{})
				if err != nil {
					return unclear("writing", err)
				}
				return oneWins("several updates of one revision at once", func(i int) error {
					return update("update-race", fmt.Sprint(i), old.Revision)()
				})()
			}
		}),
	)
	return raced(writeRaces, verdict, detail)
}

func checkComplete(ctx context.Context, p *probe) (Verdict, string) {
	right, wrong, err := p.revisions(ctx, "complete")
	if err != nil {
		return unclear("writing", err)
	}
	upload := func(key, text string, condition storage.Condition) func() error {
		return func() error {
			_, err := p.upload(ctx, key, text, condition, nil)
			return err
		}
	}
	verdict, detail := inTurn(
		refuses("a create where there is one", upload("complete", "new", storage.Condition{Absent: true})),
		p.holds(ctx, "complete", "old"),
		refuses("an update of another revision", upload("complete", "new", storage.Condition{Revision: wrong})),
		p.holds(ctx, "complete", "old"),
		must("a create where there is none", upload("complete-new", "new", storage.Condition{Absent: true})),
		must("an update of this revision", upload("complete", "new", storage.Condition{Revision: right})),
		p.holds(ctx, "complete", "new"),
		rounds(writeRaces, func(round int) step {
			return p.oneCompletes(ctx, "several creators at once", fmt.Sprint("complete-create-race-", round), func() (storage.Condition, error) {
				return storage.Condition{Absent: true}, nil
			})
		}),
		rounds(writeRaces, func(int) step {
			return p.oneCompletes(ctx, "several updates of one revision at once", "complete-update-race", func() (storage.Condition, error) {
				old, err := p.put(ctx, "complete-update-race", "old", storage.Condition{})
				if err != nil {
					return storage.Condition{}, err
				}
				return storage.Condition{Revision: old.Revision}, nil
			})
		}),
	)
	return raced(writeRaces, verdict, detail)
}

func checkRemove(ctx context.Context, p *probe) (Verdict, string) {
	right, wrong, err := p.revisions(ctx, "remove")
	if err != nil {
		return unclear("writing", err)
	}
	remove := func(key, revision string) error {
		return p.try(ctx, func() error {
			return p.driver.Delete(ctx, &storage.DeleteRequest{Key: p.prefix + key, Condition: storage.Condition{Revision: revision}})
		})
	}
	verdict, detail := inTurn(
		refuses("a delete of another revision", func() error { return remove("remove", wrong) }),
		p.holds(ctx, "remove", "old"),
		must("a delete of this revision", func() error { return remove("remove", right) }),
		p.lacks(ctx, "remove"),
		rounds(deleteRaces, func(int) step {
			return func() (Verdict, string) {
				old, err := p.put(ctx, "remove-race", "old", storage.Condition{})
				if err != nil {
					return unclear("writing", err)
				}
				return p.outlives(ctx, "remove-race", func() error { return remove("remove-race", old.Revision) })
			}
		}),
	)
	return raced(deleteRaces, verdict, detail)
}

// copy copies the key "source", which it writes first.
func (p *probe) copy(ctx context.Context, key string, condition storage.Condition) error {
	attrs, err := p.put(ctx, "source", "new", storage.Condition{})
	if err != nil {
		return err
	}
	return p.copyOf(ctx, attrs.Revision, key, condition)
}

func (p *probe) copyOf(ctx context.Context, revision, key string, condition storage.Condition) error {
	source := p.driver.Locate(p.prefix + "source")
	source.Revision = revision
	return p.try(ctx, func() error {
		_, err := p.driver.Copy(ctx, &storage.CopyRequest{
			Source: source, Key: p.prefix + key, Condition: condition,
			Properties: storage.Properties{ContentType: "text/plain"},
		})
		return err
	})
}

func checkCopy(ctx context.Context, p *probe) (Verdict, string) {
	return inTurn(
		must("a copy", func() error { return p.copy(ctx, "copy", storage.Condition{}) }),
		p.holds(ctx, "copy", "new"),
	)
}

func checkCopyConditions(ctx context.Context, p *probe) (Verdict, string) {
	right, wrong, err := p.revisions(ctx, "copy-onto")
	if err != nil {
		return unclear("writing", err)
	}
	onto := func(key string, condition storage.Condition) func() error {
		return func() error { return p.copy(ctx, key, condition) }
	}
	verdict, detail := inTurn(
		refuses("a create where there is one", onto("copy-onto", storage.Condition{Absent: true})),
		p.holds(ctx, "copy-onto", "old"),
		refuses("an update of another revision", onto("copy-onto", storage.Condition{Revision: wrong})),
		p.holds(ctx, "copy-onto", "old"),
		must("a create where there is none", onto("copy-new", storage.Condition{Absent: true})),
		must("an update of this revision", onto("copy-onto", storage.Condition{Revision: right})),
		p.holds(ctx, "copy-onto", "new"),
		func() (Verdict, string) { return p.copiesRace(ctx) },
	)
	return raced(writeRaces, verdict, detail)
}

// checkCompose joins one object, whose part is the last and may be small.
func checkCompose(ctx context.Context, p *probe) (Verdict, string) {
	return inTurn(
		must("writing", func() error { _, err := p.put(ctx, "source", "new", storage.Condition{}); return err }),
		must("a part copied", func() error {
			attrs, err := p.head(ctx, "source")
			if err != nil {
				return err
			}
			source := p.driver.Locate(p.prefix + "source")
			source.Revision = attrs.Revision
			return p.try(ctx, func() error {
				_, err := p.driver.Compose(ctx, &storage.ComposeRequest{
					Key: p.prefix + "compose", Sources: []storage.ObjectRef{source},
					Properties: storage.Properties{ContentType: "text/plain"},
				})
				return err
			})
		}),
		p.holds(ctx, "compose", "new"),
	)
}
