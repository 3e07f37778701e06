package memstore

import "github.com/tidwall/btree"

// An index finds objects by key and iterates over them in the order of their keys. Most calls read
// or overwrite an object, and use only the hash table. The tree costs several times as much. It
// changes only if a key is added or removed.
type index struct {
	slots map[string]*slot
	order btree.Map[string, *slot]
	free  []slot // unused slots of the last block
}

// A slot holds the object of one key. The hash table and the tree point to the same slot, so an
// overwrite changes only the slot.
type slot struct{ object *object }

// slotBlock is the number of slots that are allocated together. Garbage collection is the largest
// cost of a busy store in memory, and it has less work with fewer allocations.
const slotBlock = 64

func newIndex() index { return index{slots: map[string]*slot{}} }

func (x *index) len() int { return len(x.slots) }

// get returns the object of the key, or nil.
func (x *index) get(key string) *object {
	if s := x.slots[key]; s != nil {
		return s.object
	}
	return nil
}

// set makes o the object of its key, and returns the object that had the key before, or nil.
func (x *index) set(o *object) (old *object) {
	if s := x.slots[o.key]; s != nil {
		old = s.object
		s.object = o // the hash table and the tree both point to s
		return old
	}

	s := x.newSlot()
	s.object = o
	x.slots[o.key] = s
	x.order.Set(o.key, s)
	return nil
}

// newSlot returns an empty slot. Slots are allocated in blocks, which costs less than one
// allocation for each.
func (x *index) newSlot() *slot {
	if len(x.free) == 0 {
		x.free = make([]slot, slotBlock)
	}
	s := &x.free[0]
	x.free = x.free[1:]
	return s
}

// remove removes the object of the key, if there is one.
func (x *index) remove(key string) {
	s := x.slots[key]
	if s == nil {
		return
	}
	delete(x.slots, key)
	x.order.Delete(key)

	// The slot stays in memory as long as another slot of its block, but the object must not.
	s.object = nil
}

// iter returns an iterator over the objects. The caller holds the lock while using it.
func (x *index) iter() btree.MapIter[string, *slot] { return x.order.Iter() }
