package mirror_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// An exploredPair is two stores that several processes use as one mirror.
type exploredPair struct {
	*interleave.Scene
	primary, second *interleave.Store
	sync            bool
}

// layer returns the layer of the mirror.
func (p *exploredPair) layer(second storage.Bucket) storage.OpenOption {
	layer, err := mirror.New(second, mirror.Config{Sync: p.sync})
	require.NoError(p, err)
	return driver.WithLayer(layer)
}

// open opens the mirror outside of all processes.
func (p *exploredPair) open() storage.Bucket { return p.primary.Bucket(p.layer(p.second.Bucket())) }

// run runs a call of the mirror in a process of its own.
func (p *exploredPair) run(
	name string, do func(ctx context.Context, b storage.Bucket) error,
) *interleave.Actor {
	process := p.Process(name)
	b := process.Bucket(p.primary, p.layer(process.Bucket(p.second)))
	return process.Go(name, func(ctx context.Context) error { return do(ctx, b) })
}

// text returns the content of an object, or "" if there is none.
func (p *exploredPair) text(b storage.Bucket, key string) string {
	data, _, err := storage.ReadAll(p.Context(), b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(p, err)
	return string(data)
}

// An operation is a call for the key "k" of a mirror.
type operation struct {
	name string
	do   func(ctx context.Context, b storage.Bucket) error
	// apply returns the content that the operation leaves, if the object had the content before.
	apply func(before string) (after string, done bool)
}

// replacing returns an operation that replaces the object.
func replacing(text string) operation {
	return operation{
		name: "upload " + text,
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader(text))
			return err
		},
		apply: func(string) (string, bool) { return text, true },
	}
}

var operations = []operation{
	replacing("a"),
	{
		name:  "remove",
		do:    func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "k") },
		apply: func(string) (string, bool) { return "", true },
	},
	{
		name: "append",
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Append(ctx, b, "k", []byte("c"))
			return err
		},
		apply: func(text string) (string, bool) { return text + "c", true },
	},
	{
		name: "create",
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("d"), storage.IfAbsent())
			return err
		},
		apply: func(text string) (string, bool) { return "d", text == "" },
	},
	{
		name:  "repair",
		do:    repairs,
		apply: func(text string) (string, bool) { return text, true },
	},
	{
		name: "repair all",
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := mirror.RepairAll(ctx, b)
			return err
		},
		apply: func(text string) (string, bool) { return text, true },
	},
}

// repairs calls Repair.
func repairs(ctx context.Context, b storage.Bucket) error {
	_, err := mirror.Repair(ctx, b)
	return err
}

// requireEqualAfterRepair waits for the time for which Repair keeps notes, repairs the mirror, and
// compares the stores. A note is an object that names a write in progress.
func (p *exploredPair) requireEqualAfterRepair() {
	time.Sleep(2 * time.Hour)
	require.NoError(p, repairs(p.Context(), p.open()))
	require.Equal(p, p.text(p.primary.Bucket(), "k"), p.text(p.second.Bucket(), "k"),
		"the stores differ after Repair")
	state, err := mirror.Status(p.Context(), p.open())
	require.NoError(p, err)
	require.Zero(p, state.Notes, "notes stay")
}

// Two processes make one operation each at the same time, such as an upload and a removal of one
// object. For each explored order of their requests, the result is as if one operation had followed
// the other. After Repair, both stores have this result.
func TestExploredOperationsOnAMirror(t *testing.T) {
	for i, x := range operations {
		for _, y := range operations[i:] {
			// These pairs take a third of the time, and only run with all explorations. No row of
			// docs/maintainers/interleavings.md needs them.
			takesLong := y.name == "repair all" && (x.name == "repair all" || x.name == "append")
			if takesLong && !explored.All() {
				continue
			}
			t.Run(x.name+", "+y.name, func(t *testing.T) {
				explored.EachOrderOnSome(t, func(s *interleave.Scene) {
					p := &exploredPair{Scene: s, primary: s.Store("primary"), second: s.Store("second")}
					_, err := p.open().Upload(s.Context(), "k", strings.NewReader("first"))
					require.NoError(s, err)

					// An actor runs one operation in a process of its own.
					actorX := p.run("x", x.do)
					actorY := p.run("y", y.do)

					s.Check(func() {
						// An operation fails only for a reason that requireReason accepts.
						x.requireReason(s, actorX)
						y.requireReason(s, actorY)

						// The text is what x and y leave if one follows the other, in some order.
						effects := slices.Concat(x.effects(actorX), y.effects(actorY))
						text := p.text(p.primary.Bucket(), "k")
						require.True(s, interleave.SomeOrder("first", text, effects...),
							"no order gives %q", text)
						p.requireEqualAfterRepair()
					})
				})
			})
		}
	}
}

// requireReason requires that the operation of an actor has succeeded, or has failed for a known
// reason.
func (o operation) requireReason(s *interleave.Scene, actor *interleave.Actor) {
	err := actor.Err()
	wasRefused := o.name == "create" && errors.Is(err, storage.PreconditionFailed)
	require.True(s, err == nil || explored.Unknown(actor) || wasRefused, "%s: %v", o.name, err)
}

// effects returns how the operation of an actor may have changed the object.
func (o operation) effects(actor *interleave.Actor) []interleave.Effect[string] {
	effect := interleave.Effect[string]{Actor: actor, Apply: o.apply}
	// A removal whose response was lost may have been made twice.
	if o.name == "remove" && actor.Lost() {
		return []interleave.Effect[string]{effect, effect}
	}
	return []interleave.Effect[string]{effect}
}

// The two stores of a mirror swap their roles after a first operation, which may have been interrupted. No operation
// before or after the swap is lost, and RepairAll makes the stores equal.
func TestExploredSwapOfRoles(t *testing.T) {
	budgets := []interleave.Budget{{Interruptions: 1}, {Deaths: 1}, {Outages: 1}}
	writes := operations[:4] // without the repairs
	for _, first := range writes {
		for _, second := range writes {
			// By default, only some pairs are explored.
			isSampledFirst := first.name == "upload a" || first.name == "remove"
			isSampledSecond := second.name == "upload a" || second.name == "append"
			isSampled := isSampledFirst && isSampledSecond
			if !isSampled && !explored.All() {
				continue
			}
			t.Run(first.name+", "+second.name, func(t *testing.T) {
				explored.EachOrderWithin(t, budgets, func(s *interleave.Scene) {
					// Both stores have an object "k", and another one: RepairAll refuses stores that have nothing in common.
					storeA := s.Store("a")
					storeB := s.Store("b")
					p := &exploredPair{Scene: s, primary: storeA, second: storeB, sync: true}
					_, err := p.open().Upload(s.Context(), "k", strings.NewReader("first"))
					require.NoError(s, err)
					_, err = p.open().Upload(s.Context(), "in both", strings.NewReader(""))
					require.NoError(s, err)
					_, err = mirror.RepairAll(s.Context(), p.open())
					require.NoError(s, err)

					// While storeA is the primary, a process makes the first operation, and ends or dies.
					firstEnded := make(chan struct{})
					firstProcess := p.run("x", func(ctx context.Context, b storage.Bucket) error {
						defer close(firstEnded)
						return first.do(ctx, b)
					})

					// After that, storeB is the primary. One process makes the second operation,
					// while another one calls RepairAll.
					p.primary = storeB
					p.second = storeA
					secondProcess := p.run("y", func(ctx context.Context, b storage.Bucket) error {
						<-firstEnded
						return second.do(ctx, b)
					})
					repairing := p.run("z", func(ctx context.Context, b storage.Bucket) error {
						<-firstEnded
						_, err := mirror.RepairAll(ctx, b)
						return err
					})

					s.Check(func() {
						time.Sleep(2 * time.Hour) // RepairAll leaves what recent writes may still be doing
						_, err := mirror.RepairAll(s.Context(), p.open())
						require.NoError(s, err)

						// Both stores are equal after RepairAll.
						text := p.text(storeB.Bucket(), "k")
						require.Equal(s, text, p.text(storeA.Bucket(), "k"), "the stores differ after RepairAll")

						// The text is what the two operations leave if one follows the other, in
						// some order.
						effects := slices.Concat(first.effects(firstProcess), second.effects(secondProcess))
						require.True(s, interleave.SomeOrder("first", text, effects...),
							"no order gives %q: %v, %v, %v", text, firstProcess.Err(), secondProcess.Err(), repairing.Err())
					})
				})
			})
		}
	}
}
