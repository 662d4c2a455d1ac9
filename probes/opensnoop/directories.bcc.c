#include <linux/fdtable.h>
#include <linux/fs_struct.h>
#include <linux/mount.h>

// Where a path starts that does not begin with a slash; the directory is null for a descriptor that is none.
static __always_inline struct path start_of(struct task_struct *task, s64 dirfd)
{
  struct path start = {};
  if (dirfd == -100) {
    struct fs_struct *fs = {{read task->fs}};
    start.dentry = {{read fs->pwd.dentry}};
    start.mnt = {{read fs->pwd.mnt}};
    return start;
  }
  struct files_struct *files = {{read task->files}};
  struct fdtable *table = {{read files->fdt}};
  unsigned int size = {{read table->max_fds}};
  struct file **all = {{read table->fd}};
  if (dirfd < 0 || dirfd >= size) return start;
  struct file *file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), all + dirfd);
  if (file == 0) return start;
  start.dentry = {{read file->f_path.dentry}};
  start.mnt = {{read file->f_path.mnt}};
  return start;
}

// Sends the parts of the path: what the caller gave and, if that does not begin with a slash, the directories from there to the root of
// the task, the innermost first. At the root of a mount the way goes on where that is mounted. How many they are; -1 where they do not
// lead to the root.
static __always_inline s64 send_parts(void *ctx, u64 path, s64 dirfd)
{
  u32 tid = bpf_get_current_pid_tgid();
  char first = 0;
  bpf_probe_read_user(&first, 1, (const void *)path);
  if (first == 0) return -1;
  int index = 0;
  {{part open.path tid index user path}}
  if (first == '/') return 1;
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  struct fs_struct *fs = {{read task->fs}};
  struct dentry *root = {{read fs->root.dentry}};
  struct vfsmount *root_mount = {{read fs->root.mnt}};
  struct path start = start_of(task, dirfd);
  struct dentry *dentry = start.dentry;
  struct vfsmount *mount = start.mnt;
  if (dentry == 0) return -1;
  index = 1;
  for (int step = 0; step < 60; step++) {
    if (dentry == root && mount == root_mount) return index;
    struct dentry *top = {{read mount->mnt_root}};
    if (dentry == top) {
      // struct mount, of which the mount is a part, stands in no header.
      u64 below = (u64)mount - {{offset mount.mnt}};
      u64 parent = 0;
      bpf_probe_read_kernel(&dentry, sizeof(dentry), (const void *)(below + {{offset mount.mnt_mountpoint}}));
      bpf_probe_read_kernel(&parent, sizeof(parent), (const void *)(below + {{offset mount.mnt_parent}}));
      mount = (struct vfsmount *)(parent + {{offset mount.mnt}});
    } else {
      const unsigned char *name = {{read dentry->d_name.name}};
      {{part open.path tid index kernel name}}
      index++;
      dentry = {{read dentry->d_parent}};
    }
  }
  return -1;
}
