// Package powercut has no code of its own. Its test holds that what was
// acknowledged is still there after a power cut, for every part of the module that
// writes files: "make powercut" runs it, as root on Linux.
package powercut
