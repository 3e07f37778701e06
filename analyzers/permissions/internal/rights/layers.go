package rights

import (
	"slices"

	"golang.org/x/tools/go/ssa"
)

// A layer, such as a mirror, belongs to one bucket and passes operations to a second one.
type layer struct {
	of, to   Place // the first and the second bucket
	readOnly bool
}

// layersOf finds the layers with which a bucket is opened, and the second buckets of these layers.
func (d *deriver) layersOf(place Place) {
	options := optionsOf(place.open.Call.Signature(), place.open.Call.Args)
	if options == nil {
		return
	}
	for _, o := range d.graph.Elements(options, "") {
		call, ok := o.Value.(*ssa.Call)
		if !ok || calleeName(call.Common()) != "storage/driver.WithLayer" {
			continue
		}
		for _, origin := range d.graph.Trace(call.Call.Args[0], o.Stack) {
			d.layer(place, origin.Value, origin.Stack)
		}
	}
}

func (d *deriver) layer(place Place, v ssa.Value, calls string) {
	call, ok := v.(*ssa.Call)
	if !ok {
		return
	}
	name := calleeName(call.Common())
	if !isPassing(name) {
		return
	}
	for _, target := range d.places(call.Call.Args[0], calls, "") {
		d.second = append(d.second, layer{place, target, name == "storage/layers/overlay.New"})
	}
}

// addOtherLayers handles the layers for which the analysis has not found the first bucket. The
// second bucket of such a layer gets the operation Anything.
func (d *deriver) addOtherLayers() {
	for _, f := range d.code.Functions {
		for _, block := range f.Blocks {
			for _, instruction := range block.Instrs {
				call, ok := instruction.(*ssa.Call)
				if ok && isPassing(calleeName(call.Common())) {
					d.addOtherLayer(f, call)
				}
			}
		}
	}
}

func (d *deriver) addOtherLayer(f *ssa.Function, call *ssa.Call) {
	for _, place := range d.places(call.Call.Args[0], "", "") {
		if !slices.ContainsFunc(d.second, func(l layer) bool { return l.to == place }) {
			d.addPlace(place, names(Anything), d.position(f, call.Pos()))
		}
	}
}

// isPassing reports whether the function with this name makes a layer that passes operations to a
// second bucket.
func isPassing(name string) bool {
	return name == "storage/layers/mirror.New" || name == "storage/layers/overlay.New"
}

// addLayers adds the operations that layers pass on.
func (d *deriver) addLayers() {
	for _, l := range d.second {
		for r := range d.rights {
			if r.Place != l.of {
				continue
			}
			for _, operation := range l.passes(r.Operation) {
				d.rights[Right{l.to, operation, r.Call}] = true
			}
		}
	}
}

// passes returns the operations on the second bucket that an operation on the first bucket causes.
// A mirror repeats the operation on its second bucket. An overlay only lists, reads and copies
// objects of its second bucket, which is the old store.
func (l layer) passes(operation string) []string {
	if !l.readOnly {
		return names(operation, "download", "download-missing", "list")
	}
	if operation == "list" {
		return names("list")
	}
	return names("download", "download-missing", "tags")
}

// addReads adds operations for reads and writes of buckets with locks or encryption. A read or a
// write of such a bucket also needs these operations.
func (d *deriver) addReads() {
	retentions := map[Place]bool{}
	holds := map[Place]bool{}
	keys := map[Place]bool{}
	for r := range d.rights {
		switch r.Operation {
		case "upload-with-retention", "set-retention", "set-retention-bypass":
			retentions[r.Place] = true
		case "upload-with-legal-hold", "set-legal-hold":
			holds[r.Place] = true
		case "upload-encrypted", "download-encrypted":
			keys[r.Place] = true
		}
		keys[r.Place] = keys[r.Place] || r.Place.kms
	}
	for r := range d.rights {
		for _, operation := range more(r.Operation, retentions[r.Place], holds[r.Place], keys[r.Place]) {
			d.rights[Right{r.Place, operation, r.Call}] = true
		}
	}
}

func more(operation string, retentions, holds, keys bool) (all []string) {
	switch operation {
	case "download", "download-version":
		if retentions {
			all = append(all, "see-retention")
		}
		if holds {
			all = append(all, "see-legal-hold")
		}
		if keys {
			all = append(all, "download-encrypted")
		}
	case "upload", "upload-if-absent", "upload-if-revision", "upload-parts", "open-upload", "copy", "move", "update":
		if keys {
			all = append(all, "upload-encrypted", "upload-parts-encrypted")
		}
	}
	return all
}
