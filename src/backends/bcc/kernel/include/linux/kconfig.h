/* Instead of the running kernel's configuration; bcc asks for this alone. */
#define CONFIG_BPF_SYSCALL 1
