// Package keylock implements locks with names. A lock takes memory only while it is in use.
package keylock

import "sync"

// Locks has one lock for each name, within this process. A lock may be held for a long time without
// delaying calls for other names. The zero value is ready for use.
type Locks struct {
	mu  sync.Mutex
	all map[string]*lock
}

type lock struct {
	held  sync.Mutex
	users int // number of calls that hold the lock or wait for it
}

// Lock acquires the lock with a name, and waits if it is held. The caller must call unlock.
func (l *Locks) Lock(name string) (unlock func()) {
	l.mu.Lock()
	k := l.all[name]
	if k == nil {
		if l.all == nil {
			l.all = map[string]*lock{}
		}
		k = &lock{}
		l.all[name] = k
	}
	k.users++
	l.mu.Unlock()
	k.held.Lock()
	return func() {
		k.held.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.all, name)
		}
	}
}
