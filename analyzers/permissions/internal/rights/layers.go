package rights

import (
	"slices"

	"golang.org/x/tools/go/ssa"
)

// A layer, such as a mirror, belongs to one bucket and passes operations to a second one.
type layer struct {
	first    Bucket
	second   Bucket
	readOnly bool // whether the layer writes nothing to the second bucket
}

// layersOf records the layers among the options with which a bucket is opened.
func (d *deriver) layersOf(bucket Bucket) {
	options := optionsOf(bucket.open.Call.Signature(), bucket.open.Call.Args)
	if options == nil {
		return
	}

	for _, o := range d.graph.Elements(options, "") {
		call, ok := o.Value.(*ssa.Call)
		if !ok || calleeName(call.Common()) != "storage/driver.WithLayer" {
			continue
		}
		for _, origin := range d.graph.Trace(call.Call.Args[0], o.Stack) {
			d.addLayer(bucket, origin.Value, origin.Stack)
		}
	}
}

// addLayer records the layer that v is, such as mirror.New(second), as a layer of the bucket first. It
// ignores values that are not layers, and layers without a second bucket. The stack has the calls that
// led to v.
func (d *deriver) addLayer(first Bucket, v ssa.Value, stack string) {
	call, ok := v.(*ssa.Call)
	if !ok {
		return
	}
	name := calleeName(call.Common())
	if !makesLayer(name) {
		return
	}

	// The first parameter of mirror.New and of overlay.New is the second bucket.
	secondBucket := call.Call.Args[0]
	for _, second := range d.buckets(secondBucket, stack, "") {
		d.layers = append(d.layers, layer{
			first:    first,
			second:   second,
			readOnly: name == "storage/layers/overlay.New",
		})
	}
}

// addOtherLayers adds the operation Anything on the second bucket of each layer whose first bucket
// is not known.
func (d *deriver) addOtherLayers() {
	for _, f := range d.code.Functions {
		for _, block := range f.Blocks {
			for _, instruction := range block.Instrs {
				call, ok := instruction.(*ssa.Call)
				if ok && makesLayer(calleeName(call.Common())) {
					d.addOtherLayer(f, call)
				}
			}
		}
	}
}

// addOtherLayer adds the operation Anything on the second bucket of the layer that a call makes, unless
// the first bucket is known.
func (d *deriver) addOtherLayer(f *ssa.Function, call *ssa.Call) {
	for _, bucket := range d.buckets(call.Call.Args[0], "", "") {
		hasFirst := slices.ContainsFunc(d.layers, func(l layer) bool {
			return l.second == bucket
		})
		if !hasFirst {
			d.addBucket(bucket, names(Anything), d.position(f, call.Pos()))
		}
	}
}

// makesLayer reports whether the function with this name makes a layer that passes operations to a
// second bucket.
func makesLayer(name string) bool {
	return name == "storage/layers/mirror.New" || name == "storage/layers/overlay.New"
}

// addLayers adds the operations that layers pass to their second buckets.
func (d *deriver) addLayers() {
	for _, l := range d.layers {
		for r := range d.rights {
			if r.Bucket != l.first {
				continue
			}
			for _, operation := range l.passes(r.Operation) {
				d.rights[Right{l.second, operation, r.Call}] = true
			}
		}
	}
}

// passes returns the operations on the second bucket that an operation on the first bucket causes.
func (l layer) passes(operation string) []string {
	if !l.readOnly {
		// A mirror repeats the operation, and may repair the objects of its second bucket.
		return names(operation, "download", "download-missing", "list")
	}

	// An overlay only lists, reads and copies the objects of its second bucket.
	if operation == "list" {
		return names("list")
	}
	return names("download", "download-missing", "tags")
}

// protections says how the objects of a bucket are protected, as far as the program shows it.
type protections struct {
	retention bool
	legalHold bool
	kmsKey    bool
}

// addProtected adds the operations that reads and writes need on buckets whose objects have
// retention, a legal hold or a managed key.
func (d *deriver) addProtected() {
	// Find how each bucket protects its objects from what the program does there.
	protectionsOf := map[Bucket]protections{}
	for r := range d.rights {
		p := protectionsOf[r.Bucket]
		switch r.Operation {
		case "upload-with-retention", "set-retention", "set-retention-bypass":
			p.retention = true
		case "upload-with-legal-hold", "set-legal-hold":
			p.legalHold = true
		case "upload-encrypted", "download-encrypted":
			p.kmsKey = true
		}
		if r.Bucket.kms {
			p.kmsKey = true
		}
		protectionsOf[r.Bucket] = p
	}

	for r := range d.rights {
		for _, operation := range protectionsOf[r.Bucket].additionalOperations(r.Operation) {
			d.rights[Right{r.Bucket, operation, r.Call}] = true
		}
	}
}

// additionalOperations returns the operations that an operation also needs on a bucket with these
// protections.
func (p protections) additionalOperations(operation string) (all []string) {
	switch operation {
	case "download", "download-version":
		if p.retention {
			all = append(all, "see-retention")
		}
		if p.legalHold {
			all = append(all, "see-legal-hold")
		}
		if p.kmsKey {
			all = append(all, "download-encrypted")
		}
	case "upload", "upload-if-absent", "upload-if-revision", "upload-parts", "open-upload", "copy", "move", "update":
		if p.kmsKey {
			all = append(all, "upload-encrypted", "upload-parts-encrypted")
		}
	}
	return all
}
